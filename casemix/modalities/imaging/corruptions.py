"""Faults of pictures that a network learns to recognise: what generators get wrong."""

from __future__ import annotations

import torch
from torch.nn import functional as F

_GRID = 4  # cells along a side that shuffled pictures are cut into


def corrupted(pictures: torch.Tensor, kinds: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
    """Return each picture with its own fault, of random strength.

    Args:
        pictures: (b, c, h, w), mean about 0 and standard deviation about 1, sides multiples of 4.
        kinds: (b,) positions in `KINDS`.
        noise: source of strengths and noise, on the CPU.
    """
    strength = torch.rand(len(pictures), generator=noise).to(pictures)[:, None, None, None]
    shift = torch.rand(len(pictures), generator=noise).to(pictures)[:, None, None, None] - 0.5
    grain = torch.randn(pictures.shape, generator=noise).to(pictures)
    order = torch.randperm(_GRID**2, generator=noise).to(kinds.device)
    made = torch.stack(
        [
            pictures,
            _blurred(pictures, strength),
            pictures + (0.05 + 0.4 * strength) * grain,
            pictures * torch.where(strength < 0.5, 0.2 + 1.4 * strength, 0.7 + strength) + shift,
            pictures + (0.05 + 0.4 * strength) * _checkerboard(pictures),
            _shuffled(pictures, order),
        ]
    )  # (kinds, b, c, h, w)
    return made[kinds, torch.arange(len(pictures), device=kinds.device)]


#: The faults in the order of `corrupted`.
KINDS = ("none", "blur", "noise", "contrast", "checkerboard", "shuffled parts")


def _blurred(pictures: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    """Return pictures from nearly sharp to blurred by about two pixels."""
    mild = _smoothed(pictures, 2)
    strong = _smoothed(mild, 4)
    weak = torch.lerp(pictures, mild, 0.3 + 1.4 * strength.clamp(max=0.5))
    return torch.where(strength < 0.5, weak, torch.lerp(mild, strong, 2 * strength - 1))


def _smoothed(pictures: torch.Tensor, passes: int) -> torch.Tensor:
    """Return means over 3 x 3 pixels, taken several times: each adds a variance of 2 / 3."""
    for _ in range(passes):
        pictures = F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return pictures


def _checkerboard(pictures: torch.Tensor) -> torch.Tensor:
    h, w = pictures.shape[2:]
    y, x = (torch.arange(side, device=pictures.device) for side in (h, w))
    return 1.0 - 2.0 * ((y[:, None] + x[None]) % 2).to(pictures)


def _shuffled(pictures: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    b, c, h, w = pictures.shape
    cells = pictures.reshape(b, c, _GRID, h // _GRID, _GRID, w // _GRID)
    flat = cells.permute(0, 1, 3, 5, 2, 4).flatten(4)  # (b, c, h / 4, w / 4, cells)
    mixed = flat[..., order].unflatten(4, (_GRID, _GRID))
    return mixed.permute(0, 1, 4, 2, 5, 3).reshape(b, c, h, w)
