"""Pictures as points of a code space, and back: autoencoder, standardisation and grain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from casemix.core import seeding
from casemix.core.progress import Progress
from casemix.core.training import TrainConfig, load_state, seeded, state_arrays, train
from casemix.modalities.imaging.canvas import Canvas
from casemix.modalities.imaging.coloured_grain import (
    add_grain,
    channel_mixing,
    coarser_octaves,
    grain_levels,
)
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.nested import joined, part
from casemix.modalities.imaging.picture_code import PictureCode

_CODE_NOISE = 0.2  # on training codes, so that the decoder bears a generated code's errors
_CODE_COST = 0.02  # of a code's size against the reconstruction error: keeps codes near 0
_ENCODED = 64  # pictures encoded at once


@dataclass(frozen=True)
class CodeSettings:
    """How large the autoencoder is and how long it learns.

    Args:
        steps: optimiser steps.
        batch_size: rows per step.
        width: channels of the UNet's first level.
        code: numbers per cell.
    """

    steps: int
    batch_size: int
    width: int
    code: int


@dataclass
class PictureSpace:
    """A fitted autoencoder whose codes, with the grain's levels, are standardised.

    Args:
        settings: see there.
        canvas: from pixels to network inputs and back.
        net: the autoencoder.
        location: mean of the codes per channel and cell, float32 (k, gh, gw); the first channels
            are the picture's, the others constant over the cells and the grain's.
        scale: spread of the codes per channel, float32 (k, 1, 1).
        mixing: how the channels' grain hangs together, a Cholesky factor, float32 (c, c).
    """

    settings: CodeSettings
    canvas: Canvas
    net: PictureCode
    location: np.ndarray
    scale: np.ndarray
    mixing: np.ndarray

    @classmethod
    def fit(
        cls, images: Images, settings: CodeSettings, grid: int, *, seed: int, progress: Progress
    ) -> PictureSpace:
        """Learn to code pictures that come with these masks.

        Args:
            images: the training pictures.
            settings: see there.
            grid: most patches along a picture's longer side.
            seed: of everything random.
            progress: where to report.
        """
        canvas = Canvas.fit(images, grid)
        context = canvas.context(len(images), images.masks, images.masked)
        net = _build(canvas, settings, seed)
        _train(net, canvas.pictures(images.pixels), context, settings, seed, progress)
        nothing = np.zeros((1, 1, 1), dtype=np.float32)
        plain = cls(settings, canvas, net, nothing, nothing + 1, np.eye(canvas.channels))
        raw = plain.encode(images, context)
        some = np.linspace(0, len(images) - 1, min(len(images), _ENCODED)).astype(int)
        mixing = plain._mixing(images.take(some), context[some])
        location = raw.mean(axis=0)
        scale = np.maximum((raw - location).std(axis=(0, 2, 3)), 1e-4)[:, None, None]
        return cls(settings, canvas, net, location, scale, mixing)

    @property
    def code_shape(self) -> tuple[int, ...]:
        """Shape of one picture's code, (k, gh, gw)."""
        return self.location.shape

    def encode(self, images: Images, context: torch.Tensor) -> np.ndarray:
        """Return codes, float32 (n, k, gh, gw); ``context`` as the canvas gives it."""
        pictures = self.canvas.pictures(images.pixels)
        found = []
        with torch.inference_mode():
            for start in range(0, len(pictures), _ENCODED):
                own, around = pictures[start : start + _ENCODED], context[start : start + _ENCODED]
                codes = self.net.encode(own, around)
                smooth = self.canvas.brightness(self.net.decode(codes, around))
                sharp = self.canvas.brightness(own)
                coarser = coarser_octaves(self.canvas.patch)
                grain = grain_levels(sharp, smooth, coarser)[:, :, None, None]
                flat = np.broadcast_to(grain, (*grain.shape[:2], *codes.shape[2:]))
                found.append(np.concatenate([codes.numpy(), flat], axis=1))
        return (np.concatenate(found) - self.location) / self.scale

    def _mixing(self, images: Images, context: torch.Tensor) -> np.ndarray:
        own = self.canvas.pictures(images.pixels)
        with torch.inference_mode():
            drawn = self.net.decode(self.net.encode(own, context), context)
        return channel_mixing(self.canvas.brightness(own), self.canvas.brightness(drawn))

    def decode(
        self, codes: np.ndarray, context: torch.Tensor, ids: list[str], seed: int
    ) -> np.ndarray:
        """Return pixels, uint8 (n, c, h, w), with grain drawn by id."""
        raw = (codes * self.scale + self.location).astype(np.float32)
        count = self.settings.code
        grain = raw[:, count:].mean(axis=(2, 3))  # (n, c * numbers)
        with torch.inference_mode():
            drawn = self.net.decode(torch.from_numpy(raw[:, :count].copy()), context)
        smooth = self.canvas.brightness(drawn)
        noise = seeding.normal(seed, ids, smooth.shape[1:], stream="grain")
        mixed = np.einsum("ij,njhw->nihw", self.mixing, noise)
        return self.canvas.pixels(add_grain(smooth, grain, mixed))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return network and statistics as arrays for `casemix.core.artifact`."""
        return joined(
            canvas=self.canvas.to_arrays(),
            net=state_arrays(self.net),
            codes={"location": self.location, "scale": self.scale, "mixing": self.mixing},
        )

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON-ready content."""
        return {"settings": asdict(self.settings), "canvas": self.canvas.to_json()}

    @classmethod
    def load(cls, arrays: Mapping[str, np.ndarray], content: Mapping[str, Any]) -> PictureSpace:
        """Rebuild what `to_arrays` and `to_json` returned."""
        settings = CodeSettings(**content["settings"])
        canvas = Canvas.load(part(arrays, "canvas"), content["canvas"])
        net = _build(canvas, settings, 0)
        load_state(net, part(arrays, "net"))
        codes = part(arrays, "codes")
        return cls(settings, canvas, net.eval(), codes["location"], codes["scale"], codes["mixing"])


def _build(canvas: Canvas, settings: CodeSettings, seed: int) -> PictureCode:
    net = seeded(
        seeding.child(seed, "code"),
        lambda: PictureCode(
            canvas.channels, canvas.maps, settings.code, canvas.patch, settings.width
        ),
    )
    return net.to(memory_format=torch.channels_last)  # a fifth faster on a CPU


def _train(
    net: PictureCode,
    pictures: torch.Tensor,
    context: torch.Tensor,
    settings: CodeSettings,
    seed: int,
    progress: Progress,
) -> None:
    def loss(net: Any, rows: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
        clean, around = pictures.to(rows.device)[rows], context.to(rows.device)[rows]
        codes = net.encode(clean, around)
        jitter = torch.randn(codes.shape, generator=noise).to(rows.device)
        made = net.decode(codes + _CODE_NOISE * jitter, around)
        cost = 0.5 * (codes**2).sum() / clean.numel()
        return F.smooth_l1_loss(made, clean, beta=0.3) + _CODE_COST * cost

    config = TrainConfig(
        steps=settings.steps,
        batch_size=settings.batch_size,
        learning_rate=2e-3,
        weight_decay=0.01,
        ema_decay=0.99,
    )
    train(net, loss, len(pictures), config, seed=seed, progress=progress, label="picture codes")
