"""Masks as points of a smooth shape space, and back: where, how large, and of which shape.

A label's mask becomes its signed distance map, moved to the picture's centre and to a common size,
and squashed by a tanh so that only the neighbourhood of the contour counts. Principal axes of
these maps describe the shape. Any point of the space decodes to one label per pixel, so labels
never overlap and contours stay smooth.

Reference:
    Leventon ME, Grimson WEL, Faugeras O. Statistical shape influence in geodesic active contours.
    CVPR 2000.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from scipy import ndimage

from casemix.modalities.imaging.principal import principal_axes

_REACH = 0.08  # of the picture's smaller side: how far from a contour a pixel still tells of it
_POSES = 3  # row, column and log size


@dataclass(frozen=True)
class ShapeSpace:
    """Pose and principal axes of squashed signed distance maps.

    A code is ``(row, column, log size, shape...)``. Pose and leading axes have unit variance; an
    axis of less spread has less variance (its square root), so that detail weighs less.

    Args:
        mean: mean maps, float32 (m, labels, h, w).
        axes: orthonormal, float32 (k, m * labels * h * w).
        spread: standard deviation along each axis, float32 (k,).
        pose: mean and standard deviation of the pose, float32 (2, 3).
    """

    mean: np.ndarray
    axes: np.ndarray
    spread: np.ndarray
    pose: np.ndarray

    @classmethod
    def fit(cls, masks: np.ndarray, labels: int, *, most_axes: int) -> ShapeSpace:
        """Learn the space of masks, uint8 (n, m, h, w) with values below ``labels``."""
        poses = mask_poses(masks)
        pose = _usual(poses)
        maps = _canonical(signed_distances(masks, labels), _posed(poses, pose))
        mean = maps.mean(axis=0)
        flat = (maps - mean).reshape(len(maps), -1)
        axes, variances = principal_axes(flat, most_axes)
        spread = np.maximum(np.sqrt(variances), 1e-6)
        return cls(*(a.astype(np.float32) for a in (mean, axes, spread, pose)))

    @property
    def width(self) -> int:
        """The number of columns of a code."""
        return _POSES + len(self.spread)

    def encode(self, masks: np.ndarray) -> np.ndarray:
        """Return codes, float32 (n, width)."""
        poses = _posed(mask_poses(masks), self.pose)
        maps = _canonical(signed_distances(masks, self.mean.shape[1]), poses)
        shape = (maps - self.mean).reshape(len(maps), -1) @ self.axes.T
        standard = (poses - self.pose[0]) / self.pose[1]
        return np.concatenate([standard, shape / self._unit()], axis=1).astype(np.float32)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return masks, uint8 (n, m, h, w): at each pixel the label that lies deepest inside."""
        poses = codes[:, :_POSES] * self.pose[1] + self.pose[0]
        masks = np.empty((len(codes), *np.delete(self.mean.shape, 1)), dtype=np.uint8)
        for i, (pose, code) in enumerate(zip(poses, codes, strict=True)):
            # One row at a time: the arithmetic must not depend on the other rows.
            maps = (code[_POSES:] * self._unit()) @ self.axes
            placed = _placed(maps.reshape(self.mean.shape) + self.mean, pose)
            masks[i] = placed.argmax(axis=1)
        return masks

    def _unit(self) -> np.ndarray:
        return np.sqrt(self.spread * self.spread[0])

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the space as arrays for `casemix.core.artifact`."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> ShapeSpace:
        """Rebuild what `to_arrays` returned."""
        return cls(**{f.name: arrays[f.name] for f in fields(cls)})


def signed_distances(masks: np.ndarray, labels: int) -> np.ndarray:
    """Return signed distances to each label's contour in pixels, float32 (n, m, labels, h, w).

    Positive inside. A label that is absent is as far away as the picture is large.
    """
    n, m, h, w = masks.shape
    maps = np.empty((n, m, labels, h, w), dtype=np.float32)
    for i, j, label in np.ndindex(n, m, labels):
        maps[i, j, label] = _signed_distance(masks[i, j] == label)
    return maps


def mask_poses(masks: np.ndarray) -> np.ndarray:
    """Return row and column of the labelled pixels' centre, and log size, float64 (n, 3).

    The size is relative to half the picture's smaller side. A mask without labels has no pose: NaN.
    """
    m, h, w = masks.shape[1:]
    inside = masks > 0
    count = inside.sum(axis=(1, 2, 3))
    pixels = np.maximum(count, 1)
    row = (inside * np.arange(h)[:, None]).sum(axis=(1, 2, 3)) / pixels - (h - 1) / 2
    column = (inside * np.arange(w)).sum(axis=(1, 2, 3)) / pixels - (w - 1) / 2
    size = np.sqrt(pixels / m) / (min(h, w) / 2)
    table = np.stack([row, column, np.log(size)], axis=1)
    return np.where(count[:, None] > 0, table, np.nan)


def _usual(poses: np.ndarray) -> np.ndarray:
    """Return mean and standard deviation of the poses that there are, (2, 3)."""
    seen = poses[np.isfinite(poses).all(axis=1)]
    if not len(seen):
        return np.array([[0.0] * _POSES, [1.0] * _POSES])
    return np.stack([seen.mean(axis=0), np.maximum(seen.std(axis=0), 1e-3)])


def _posed(poses: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Return poses, (n, 3), with the mean of ``pose`` where there is none."""
    return np.where(np.isfinite(poses), poses, pose[0])


def _canonical(maps: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Return squashed maps, moved to the centre and scaled to size 1."""
    reach = max(_REACH * min(maps.shape[-2:]), 1.0)  # pixels
    moved = np.empty_like(maps)
    for i, (row, column, log_size) in enumerate(poses):
        size = float(np.exp(log_size))
        # Distances shrink with the picture.
        moved[i] = _resampled(maps[i], size, (row, column)) / (size * reach)
    return np.tanh(moved)


def _placed(maps: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Undo `_canonical`'s move of one picture's maps, (m, labels, h, w)."""
    size = float(np.exp(np.clip(pose[2], -3, 3)))
    return _resampled(maps, 1 / size, (-pose[0] / size, -pose[1] / size))


def _resampled(maps: np.ndarray, factor: float, shift: tuple[float, float]) -> np.ndarray:
    """Sample maps at ``factor`` times each pixel's offset from the centre, plus ``shift``."""
    middle = (np.array(maps.shape[-2:]) - 1) / 2
    offset = middle - factor * middle + np.array(shift)
    moved = np.empty_like(maps)
    for index in np.ndindex(maps.shape[:-2]):
        ndimage.affine_transform(
            maps[index], (factor, factor), offset, output=moved[index], order=1, mode="nearest"
        )
    return moved


def _signed_distance(inside: np.ndarray) -> np.ndarray:
    if not inside.any():
        return np.full(inside.shape, -float(max(inside.shape)))
    if inside.all():
        return np.full(inside.shape, float(max(inside.shape)))
    deep = ndimage.distance_transform_edt(inside)
    away = ndimage.distance_transform_edt(~inside)
    return np.where(inside, deep - 0.5, 0.5 - away)
