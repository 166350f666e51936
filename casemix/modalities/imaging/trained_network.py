"""A small convolutional network, trained on real pictures without labels, as feature extractor."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from casemix.core.training import TrainConfig, seeded, train
from casemix.errors import EvaluationError
from casemix.modalities.imaging.corruptions import KINDS, corrupted
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.layout import Layout
from casemix.modalities.imaging.reduction import LONGEST, reduced_masks, reduced_pictures

NAME = f"network trained on real pictures of at most {LONGEST} px (32 features)"
FEATURES = 32
_CODE = 16  # principal components of picture and mask that the network predicts
_COARSE = 16  # pixels, side of the pictures that the components are of
_FEWEST = 8  # pictures
_BATCH = 256  # pictures read at once
_SEED = 20_260_101
_CONFIG = TrainConfig(steps=240, batch_size=40, learning_rate=2e-3, warmup=30, ema_decay=0.99)


@dataclass(frozen=True)
class TrainedNetwork:
    """Features of pictures, standardised on the training pictures.

    Two tasks shape them: to tell the principal components of the coarse picture and of its mask,
    and to recognise which fault a picture was given (blur, noise, contrast, checkerboard, shuffled
    parts). No label of the subject takes part, so that no label can leak.
    """

    network: _Network
    layout: Layout
    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def fit(cls, images: Images, config: TrainConfig = _CONFIG) -> Self:
        """Train on real pictures; its seed is its own.

        Raises:
            EvaluationError: fewer than eight pictures.
        """
        if len(images) < _FEWEST:
            raise EvaluationError(
                "There are too few real pictures to train an extractor on.",
                given=len(images),
                allowed=f"at least {_FEWEST}",
            )
        pictures, code = reduced_pictures(images), _code(images)
        network = seeded(_SEED, lambda: _Network(pictures, code.shape[1]))

        def loss(model: nn.Module, rows: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
            some = network.standardised(pictures[rows.cpu()].to(rows.device))
            kinds = torch.randint(len(KINDS), (len(rows),), generator=noise).to(rows.device)
            features = model(torch.cat([some, corrupted(some, kinds, noise)]))
            told, named = network.told(features[: len(rows)]), network.named(features[len(rows) :])
            return F.mse_loss(told, code[rows.cpu()].to(told)) + F.cross_entropy(named, kinds)

        train(network, loss, len(images), config, seed=_SEED, label="training the extractor")
        features = _read(network, pictures)
        spread = features.std(axis=0)
        return cls(network, images.layout, features.mean(axis=0), np.maximum(spread, 1e-6))

    def __call__(self, images: Images) -> np.ndarray:
        """Return float64 features (n, 32).

        Raises:
            EvaluationError: pictures of other channels or another size than the fitted ones.
        """
        own, other = self.layout, images.layout
        if (other.channels, other.height, other.width) != (own.channels, own.height, own.width):
            raise EvaluationError(
                "The pictures have another layout than those that the extractor was trained on.",
                given=f"{other.channels}, {other.height} x {other.width}",
                allowed=f"{own.channels}, {own.height} x {own.width}",
            )
        return (_read(self.network, reduced_pictures(images)) - self.mean) / self.spread


class _Network(nn.Module):
    """Four strided convolutions, then the features; two linear heads read them."""

    def __init__(self, pictures: torch.Tensor, code: int) -> None:
        super().__init__()
        channels = pictures.shape[1]
        widths = (channels, 16, 32, 48)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(8, after), nn.SiLU()]
        self.body = nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * 48, FEATURES)
        )
        self.told = nn.Linear(FEATURES, code)
        self.named = nn.Sequential(nn.SiLU(), nn.Linear(FEATURES, len(KINDS)))
        self.mean: torch.Tensor
        self.spread: torch.Tensor
        self.register_buffer("mean", pictures.mean(dim=(0, 2, 3))[:, None, None])
        spread = pictures.std(dim=(0, 2, 3)).clamp(min=1e-3)
        self.register_buffer("spread", spread[:, None, None])

    def standardised(self, pictures: torch.Tensor) -> torch.Tensor:
        return (pictures - self.mean) / self.spread

    def forward(self, standardised: torch.Tensor) -> torch.Tensor:
        return self.body(standardised)  # (b, 32)


def _read(network: _Network, pictures: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        parts = [network(network.standardised(part)) for part in pictures.split(_BATCH)]
    return torch.cat(parts).double().numpy()


def _code(images: Images) -> torch.Tensor:
    """Return standardised principal components of coarse pictures and masks, (n, k)."""
    coarse = _pooled(reduced_pictures(images))
    if images.masks is not None:
        one_hot = F.one_hot(reduced_masks(images), len(images.mask_labels))[..., 1:]
        shares = _pooled(one_hot.movedim(-1, 2).flatten(1, 2).float())
        coarse = torch.cat([coarse, shares], dim=1)
    centred = coarse - coarse.mean(dim=0)
    k = min(_CODE, len(images) - 1, centred.shape[1])
    left, singular, _ = torch.linalg.svd(centred, full_matrices=False)
    used = singular[:k] > 1e-4 * singular[0].clamp(min=1e-6)
    return left[:, :k] * used * len(images) ** 0.5


def _pooled(maps: torch.Tensor) -> torch.Tensor:
    h, w = (min(side, _COARSE) for side in maps.shape[2:])
    return F.interpolate(maps, (h, w), mode="area").flatten(1)
