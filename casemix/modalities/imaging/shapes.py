"""Masks as points of a smooth shape space, and back.

A label's mask becomes its signed distance map, squashed by a tanh so that only the neighbourhood
of the contour counts; principal axes of these maps are the shape space. Any point of it decodes to
one label per pixel, so labels never overlap, and contours stay smooth.

Reference:
    Leventon ME, Grimson WEL, Faugeras O. Statistical shape influence in geodesic active contours.
    CVPR 2000.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from scipy import ndimage

_REACH = 0.08  # of the picture's smaller side: how far from a contour a pixel still tells of it


@dataclass(frozen=True)
class ShapeSpace:
    """Principal axes of squashed signed distance maps.

    Args:
        mean: mean maps, float32 (m, labels, h, w).
        axes: orthonormal times standard deviation, float32 (k, m * labels * h * w).
        spread: standard deviation along each axis, float32 (k,).
    """

    mean: np.ndarray
    axes: np.ndarray
    spread: np.ndarray

    @classmethod
    def fit(cls, masks: np.ndarray, labels: int, *, most_axes: int) -> ShapeSpace:
        """Learn the axes of masks, uint8 (n, m, h, w) with values below ``labels``."""
        maps = distance_maps(masks, labels)
        mean = maps.mean(axis=0)
        flat = (maps - mean).reshape(len(maps), -1)
        energy, left = np.linalg.eigh(flat.astype(np.float64) @ flat.T.astype(np.float64))
        energy, left = energy[::-1].clip(0), left[:, ::-1]
        kept = int(min(most_axes, max((energy > 1e-6 * max(energy[0], 1e-12)).sum(), 1)))
        size = np.sqrt(np.maximum(energy[:kept], 1e-12))
        axes = (left[:, :kept] / size).T @ flat  # (k, d)
        return cls(
            mean.astype(np.float32),
            axes.astype(np.float32),
            (size / np.sqrt(len(maps))).astype(np.float32),
        )

    def encode(self, masks: np.ndarray) -> np.ndarray:
        """Return standardised shape coefficients, float32 (n, k)."""
        maps = distance_maps(masks, self.mean.shape[1])
        return ((maps - self.mean).reshape(len(maps), -1) @ self.axes.T) / self.spread

    def decode(self, coefficients: np.ndarray) -> np.ndarray:
        """Return masks, uint8 (n, m, h, w): at each pixel the label that lies deepest inside."""
        flat = (coefficients * self.spread) @ self.axes
        maps = flat.reshape(-1, *self.mean.shape) + self.mean  # (n, m, labels, h, w)
        return maps.argmax(axis=2).astype(np.uint8)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the space as arrays for `casemix.core.artifact`."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> ShapeSpace:
        """Rebuild what `to_arrays` returned."""
        return cls(**{f.name: arrays[f.name] for f in fields(cls)})


def distance_maps(masks: np.ndarray, labels: int) -> np.ndarray:
    """Return tanh(signed distance / reach) per label, positive inside, float32 (n, m, l, h, w)."""
    n, m, h, w = masks.shape
    reach = max(_REACH * min(h, w), 1.0)  # pixels
    maps = np.empty((n, m, labels, h, w), dtype=np.float32)
    for i in range(n):
        for j in range(m):
            for label in range(labels):
                maps[i, j, label] = _signed_distance(masks[i, j] == label) / reach
    return np.tanh(maps)


def _signed_distance(inside: np.ndarray) -> np.ndarray:
    """Return the distance to the contour in pixels, positive inside; +-size where there is none."""
    if not inside.any():
        return np.full(inside.shape, -float(max(inside.shape)))
    if inside.all():
        return np.full(inside.shape, float(max(inside.shape)))
    deep = ndimage.distance_transform_edt(inside)
    away = ndimage.distance_transform_edt(~inside)
    return np.where(inside, deep - 0.5, 0.5 - away)
