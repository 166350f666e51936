"""A small U-Net that segments pictures, trained on real pictures and their masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from casemix.core.training import TrainConfig, seeded, train
from casemix.errors import EvaluationError
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.layout import Layout
from casemix.modalities.imaging.reduction import LONGEST, reduced_masks, reduced_pictures

NAME = f"U-Net trained on real pairs of at most {LONGEST} px"
_FEWEST = 16  # real pictures with a mask
_BATCH = 128  # pictures segmented at once
_PATCH = 2  # pixels, side of the cells that the network works on
_SEED = 20_260_102
_CONFIG = TrainConfig(steps=200, batch_size=16, learning_rate=3e-3, warmup=30, ema_decay=0.99)


@dataclass(frozen=True)
class Segmenter:
    """A trained segmenter of pictures of one layout."""

    network: _UNet
    layout: Layout

    @classmethod
    def fit(cls, images: Images, config: TrainConfig = _CONFIG) -> Self:
        """Train on the real pictures that have a mask; its seed is its own.

        Raises:
            EvaluationError: fewer than 16 pictures have a mask.
        """
        masked = images.take(np.flatnonzero(images.masked))
        if masked.masks is None or len(masked) < _FEWEST:
            raise EvaluationError(
                "There are too few real pictures with a mask to train a segmenter on.",
                given=len(masked),
                allowed=f"at least {_FEWEST}",
            )
        pictures, masks = reduced_pictures(masked), reduced_masks(masked)
        network = seeded(_SEED, lambda: _UNet(pictures, masked.layout))

        def loss(model: nn.Module, rows: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
            here = rows.cpu()
            lit = _relit(pictures[here], noise).to(rows.device)
            return _segmentation_loss(model(lit), masks[here].to(rows.device))

        train(network, loss, len(masked), config, seed=_SEED, label="training the segmenter")
        return cls(network, masked.layout)

    def __call__(self, images: Images) -> np.ndarray:
        """Return masks, int64 (n, m, h, w), at the size of `reduced_masks`.

        Raises:
            EvaluationError: pictures of another layout than the fitted ones.
        """
        if images.layout != self.layout:
            raise EvaluationError(
                "The pictures have another layout than those that the segmenter was trained on.",
                given=images.layout.to_json(),
                allowed=self.layout.to_json(),
            )
        with torch.no_grad():
            parts = [self.network(p).argmax(dim=2) for p in reduced_pictures(images).split(_BATCH)]
        return torch.cat(parts).numpy()

    def agreement(self, images: Images) -> np.ndarray:
        """Return the Dice of each picture's mask and of what is seen in it, (n, structures)."""
        return dice(self(images), reduced_masks(images).numpy(), len(images.mask_labels))


def dice(first: np.ndarray, second: np.ndarray, labels: int) -> np.ndarray:
    """Return the Dice coefficient of each structure, (n, labels - 1) in [0, 1].

    NaN where neither mask has the structure. All frames of a picture count together.

    Args:
        first: (n, m, h, w) in 0 ... labels - 1; 0 is the background, which is not judged.
        second: the same shape.
        labels: number of labels, the background included.

    Reference:
        Dice LR. Measures of the amount of ecologic association between species. Ecology 1945.
    """
    columns = []
    for label in range(1, labels):
        a, b = (masks == label for masks in (first, second))
        both = (a & b).sum(axis=(1, 2, 3))
        total = a.sum(axis=(1, 2, 3)) + b.sum(axis=(1, 2, 3))
        columns.append(np.where(total > 0, 2 * both / np.maximum(total, 1), np.nan))
    return np.stack(columns, axis=1)


class _UNet(nn.Module):
    """Three levels on the grid of 2 x 2 pixel cells; logits for every pixel."""

    def __init__(self, pictures: torch.Tensor, layout: Layout) -> None:
        super().__init__()
        self.frames, self.labels = layout.mask_frames, len(layout.mask_labels)
        cells = _PATCH**2
        self.first = _block(pictures.shape[1] * cells + 2, 24)
        self.second = _block(24, 32)
        self.third = _block(32, 48)
        self.up_second = _block(48 + 32, 32)
        self.up_first = _block(32 + 24, 24)
        self.out = nn.Conv2d(24, self.frames * self.labels * cells, 1)
        self.mean: torch.Tensor
        self.spread: torch.Tensor
        self.register_buffer("mean", pictures.mean(dim=(0, 2, 3))[:, None, None])
        spread = pictures.std(dim=(0, 2, 3)).clamp(min=1e-3)
        self.register_buffer("spread", spread[:, None, None])

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return logits (b, m, labels, h, w)."""
        grid = F.pixel_unshuffle((pictures - self.mean) / self.spread, _PATCH)
        first = self.first(torch.cat([grid, _places(grid)], dim=1))
        second = self.second(F.avg_pool2d(first, 2))
        third = self.third(F.avg_pool2d(second, 2))
        second = self.up_second(torch.cat([F.interpolate(third, scale_factor=2), second], dim=1))
        first = self.up_first(torch.cat([F.interpolate(second, scale_factor=2), first], dim=1))
        maps = F.pixel_shuffle(self.out(first), _PATCH)
        return maps.unflatten(1, (self.frames, self.labels))


def _block(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1),
        nn.GroupNorm(8, after),
        nn.SiLU(),
        nn.Conv2d(after, after, 3, padding=1),
        nn.GroupNorm(8, after),
        nn.SiLU(),
    )


def _places(grid: torch.Tensor) -> torch.Tensor:
    """Return where each cell is, (b, 2, h, w) in [-1, 1]: anatomy has its place."""
    b, _, h, w = grid.shape
    y, x = (torch.linspace(-1, 1, side, device=grid.device, dtype=grid.dtype) for side in (h, w))
    return torch.stack(torch.meshgrid(y, x, indexing="ij")).expand(b, 2, h, w)


def _relit(pictures: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
    """Return pictures of slightly other contrast and brightness: scanners differ."""
    contrast, shift = torch.rand(2, len(pictures), 1, 1, 1, generator=noise)
    return pictures * (0.85 + 0.3 * contrast) + 0.1 * (shift - 0.5)


def _segmentation_loss(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Return cross-entropy plus one minus soft Dice.

    Args:
        logits: (b, m, labels, h, w).
        masks: (b, m, h, w).
    """
    flat, wanted = logits.flatten(0, 1).float(), masks.flatten(0, 1)
    share = flat.softmax(dim=1)
    truth = F.one_hot(wanted, flat.shape[1]).movedim(-1, 1).to(share.dtype)
    both = (share * truth).sum(dim=(0, 2, 3))
    total = share.sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3))
    soft = (2 * both[1:] + 1) / (total[1:] + 1)
    return F.cross_entropy(flat, wanted) + 1 - soft.mean()
