"""Differentiable augmentation, so that a critic does not learn a few hundred pictures by heart.

Reference:
    Zhao S et al. Differentiable augmentation for data-efficient GAN training. NeurIPS 2020
    (arXiv:2006.10738): translation and cutout. Its colour changes are left out, because
    brightness is what conditions such as the scanner show in.
"""

from __future__ import annotations

import torch

_MOST_SHIFT = 1 / 8  # of a side
_CUT = 0.4  # of a side


def augmented(maps: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Return maps (b, c, h, w), each shifted and with one rectangle emptied.

    Args:
        maps: pictures and masks, changed together.
        draw: CPU generator of shifts and places.
    """
    shifted = _shifted(maps, draw)
    return shifted * _uncut(shifted, draw).to(shifted)


def _shifted(maps: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    b, _, *sides = maps.shape
    y, x = (_places(b, side, draw).to(maps.device) for side in sides)
    rows = torch.arange(b, device=maps.device)[:, None, None]
    return maps[rows, :, y[:, :, None], x[:, None, :]].movedim(-1, 1)


def _places(b: int, side: int, draw: torch.Generator) -> torch.Tensor:
    """Return where each line is taken from, (b, side); the border is repeated."""
    most = int(side * _MOST_SHIFT)
    shift = torch.randint(-most, most + 1, (b, 1), generator=draw)
    return (torch.arange(side) + shift).clamp(0, side - 1)


def _uncut(maps: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Return which pixels stay, bool (b, 1, h, w)."""
    inside = []
    for side in maps.shape[2:]:
        middle = torch.randint(0, side, (len(maps), 1), generator=draw)
        inside.append((torch.arange(side) - middle).abs() < _CUT * side / 2)  # (b, side)
    return ~(inside[0][:, :, None] & inside[1][:, None, :])[:, None]
