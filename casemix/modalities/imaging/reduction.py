"""Pictures and masks at the size that judging networks see."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from casemix.modalities.imaging.data import Images

LONGEST = 64  # pixels of the longer side
_AT_ONCE = 64  # pictures
_STEP = 8  # sides are multiples of it: three halvings


def reduced_size(height: int, width: int) -> tuple[int, int]:
    """Return height and width of at most 64 pixels, multiples of 8, about as long as wide.

    >>> [reduced_size(*side) for side in ((64, 64), (224, 224), (100, 200), (16, 16), (5, 5))]
    [(64, 64), (64, 64), (32, 64), (16, 16), (8, 8)]
    """
    scale = min(1.0, LONGEST / max(height, width))
    return (
        max(round(height * scale / _STEP), 1) * _STEP,
        max(round(width * scale / _STEP), 1) * _STEP,
    )


def reduced_pictures(images: Images) -> torch.Tensor:
    """Return area means, float32 (n, c, h, w) in [0, 1]; see `reduced_size`."""
    size = reduced_size(*images.pixels.shape[2:])
    parts = []
    for part in torch.from_numpy(images.pixels).split(
        _AT_ONCE
    ):  # large pictures as floats are huge
        scaled = part.float() / 255
        parts.append(
            scaled if scaled.shape[2:] == size else F.interpolate(scaled, size, mode="area")
        )
    return torch.cat(parts)


def reduced_masks(images: Images) -> torch.Tensor:
    """Return the masks of pictures that have some, nearest neighbour, int64 (n, m, h, w)."""
    assert images.masks is not None
    size = reduced_size(*images.pixels.shape[2:])
    masks = torch.from_numpy(images.masks)
    if masks.shape[2:] != size:
        masks = F.interpolate(masks, size, mode="nearest-exact")
    return masks.long()
