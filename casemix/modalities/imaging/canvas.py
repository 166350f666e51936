"""From pixels and masks to network inputs, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.shapes import signed_distances

_FAR = 0.08  # of the picture's smaller side


@dataclass(frozen=True)
class Canvas:
    """A picture's frame: padded to whole cells, centred on the mean picture.

    Args:
        mean: mean training picture, float32 (c, height, width) in [0, 1], padded.
        spread: spread of the pictures around it, over all pixels, > 0.
        size: height and width before padding, pixels.
        patch: side of a patch, pixels.
        labels: number of mask labels, 0 = no masks.
        frames: masks per picture.
    """

    mean: np.ndarray
    spread: float
    size: tuple[int, int]
    patch: int
    labels: int
    frames: int

    @classmethod
    def fit(cls, images: Images, grid: int) -> Canvas:
        """Choose patches and learn the mean picture; ``grid``: most patches along a side."""
        size = images.layout.height, images.layout.width
        patch = patch_for(max(size), grid)
        scaled = torch.from_numpy(images.pixels.astype(np.float32) / 255)
        padded = _padded(scaled, size, patch).numpy()
        mean = padded.mean(axis=0)
        spread = max(float((padded - mean).std()), 1e-3)
        labels, frames = len(images.mask_labels), images.layout.mask_frames
        return cls(mean, spread, size, patch, labels, frames)

    @property
    def channels(self) -> int:
        """Channels of the pictures."""
        return len(self.mean)

    @property
    def maps(self) -> int:
        """Context maps per picture: one per label and mask, and whether there is a mask."""
        return self.labels * self.frames + 1 if self.labels else 0

    @property
    def coarse_maps(self) -> int:
        """Maps of `coarse`."""
        return 4 * self.maps

    def pictures(self, pixels: np.ndarray) -> torch.Tensor:
        """Return network inputs, float32 (n, c, height, width)."""
        scaled = _padded(torch.from_numpy(pixels.astype(np.float32) / 255), self.size, self.patch)
        return (scaled - torch.from_numpy(self.mean)) / self.spread

    def context(self, n: int, masks: np.ndarray | None, masked: np.ndarray) -> torch.Tensor:
        """Return the masks' maps (see `mask_maps`), float32 (n, maps, height, width).

        Args:
            n: number of pictures.
            masks: uint8 (n, m, h, w); None where the canvas has no masks.
            masked: which pictures have one, bool (n,); the others' maps are 0.
        """
        if not self.labels or masks is None:
            return torch.zeros(n, 0, *self.mean.shape[1:])
        maps = mask_maps(masks, self.labels).reshape(n, -1, *self.size)
        there = np.broadcast_to(np.float32(1), (n, 1, *self.size))
        known = np.concatenate([maps, there], axis=1) * masked[:, None, None, None]
        return _padded(torch.from_numpy(known.astype(np.float32)), self.size, self.patch)

    def coarse(self, context: torch.Tensor) -> torch.Tensor:
        """Return the context on the code's grid, (n, coarse_maps, gh, gw)."""
        if not self.maps:
            cell = 2 * self.patch
            return context.new_zeros(len(context), 0, *(s // cell for s in context.shape[2:]))
        return F.pixel_unshuffle(F.avg_pool2d(context, self.patch), 2)

    def brightness(self, pictures: torch.Tensor) -> np.ndarray:
        """Return brightness of network outputs, 0 = black, 1 = white, padding included."""
        return np.clip(pictures.numpy() * self.spread + self.mean, 0, 1)

    def pixels(self, brightness: np.ndarray) -> np.ndarray:
        """Return uint8 pixels without padding, (n, c, h, w)."""
        height, width = self.size
        inside = brightness[:, :, :height, :width]
        return np.clip(np.round(inside * 255), 0, 255).astype(np.uint8)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the mean picture for `casemix.core.artifact`."""
        return {"mean": self.mean}

    def to_json(self) -> dict[str, float | int | list[int]]:
        """Return the rest as JSON-ready content."""
        return {
            "spread": self.spread,
            "size": list(self.size),
            "patch": self.patch,
            "labels": self.labels,
            "frames": self.frames,
        }

    @classmethod
    def load(cls, arrays: Mapping[str, np.ndarray], content: Mapping[str, object]) -> Canvas:
        """Rebuild what `to_arrays` and `to_json` returned."""
        settings = {**content, "size": tuple(content["size"])}  # type: ignore[arg-type]
        return cls(arrays["mean"], **settings)  # type: ignore[arg-type]


def mask_maps(masks: np.ndarray, labels: int) -> np.ndarray:
    """Return squashed signed distance maps, float32 (n, m, labels, h, w) in [-1, 1].

    The background's map reaches far, so that the surroundings know where they are; those of the
    other labels change within a pixel, so that contours in the picture can be sharp.
    """
    distances = signed_distances(masks, labels)  # pixels
    reach = np.full((labels, 1, 1), 1.0, dtype=np.float32)
    reach[0] = max(_FAR * min(masks.shape[2:]), 1.0)
    return np.tanh(distances / reach)


def patch_for(side: int, grid: int) -> int:
    """Return the smallest power of two that cuts a side into at most ``grid`` patches.

    >>> [patch_for(side, 16) for side in (16, 64, 100, 224)]
    [1, 4, 8, 16]
    """
    patch = 1
    while patch * grid < side:
        patch *= 2
    return patch


def _padded(values: torch.Tensor, size: tuple[int, int], patch: int) -> torch.Tensor:
    """Repeat the border until both sides are whole numbers of four patches (two UNet levels)."""
    down, right = (-s % (4 * patch) for s in size)
    return F.pad(values, (0, right, 0, down), mode="replicate")
