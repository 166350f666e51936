"""The generator of pictures: a rectified flow over picture codes, given mask and conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from casemix.core import seeding
from casemix.core.batches import fixed_batches
from casemix.core.progress import Progress
from casemix.core.training import TrainConfig, load_state, seeded, state_arrays, train
from casemix.modalities.imaging.canvas import Canvas
from casemix.modalities.imaging.conditioning import Steering
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.flow_matching import Prior, flow_loss, guided, integrate
from casemix.modalities.imaging.nested import joined, part
from casemix.modalities.imaging.picture_code import PictureCode, add_grain, grain_levels
from casemix.modalities.imaging.unet import PatchUNet

_AXES = 96
_CODE_NOISE = 0.2  # on training codes, so that the decoder bears a generated code's errors
_CODE_COST = 0.02  # of a code's size against the reconstruction error: keeps codes near 0
_JITTER = 0.1  # standard deviations, on numeric conditions in training


@dataclass(frozen=True)
class PictureSettings:
    """How large the networks are and how long they learn.

    Args:
        code_steps: optimiser steps of the autoencoder.
        flow_steps: optimiser steps of the flow.
        batch_size: rows per step.
        width: channels of the first level of both UNets.
        code: numbers per cell of a picture's code.
        sampling_steps: Euler steps.
    """

    code_steps: int
    flow_steps: int
    batch_size: int
    width: int
    code: int
    sampling_steps: int


@dataclass
class PictureFlow:
    """A fitted picture generator.

    Args:
        settings: see there.
        canvas: from pixels to network inputs and back.
        code: the autoencoder.
        location: mean of the extended codes per channel and cell, float32 (k, gh, gw).
        scale: their spread per channel, float32 (k, 1, 1).
        prior: normal approximation of the standardised codes.
        net: velocity network.
    """

    settings: PictureSettings
    canvas: Canvas
    code: PictureCode
    location: np.ndarray
    scale: np.ndarray
    prior: Prior
    net: PatchUNet

    @classmethod
    def fit(
        cls,
        images: Images,
        steering: Steering,
        *,
        settings: PictureSettings,
        grid: int,
        seed: int,
        progress: Progress,
    ) -> PictureFlow:
        """Learn pictures given their masks and conditions.

        Args:
            images: the training pictures.
            steering: the conditions of each picture.
            settings: see there.
            grid: most patches along a picture's longer side.
            seed: of everything random.
            progress: where to report.
        """
        canvas = Canvas.fit(images, grid)
        pictures = canvas.pictures(images.pixels)  # (n, c, h, w)
        context = canvas.context(len(images), images.masks, images.masked)  # (n, maps, h, w)
        code = _fit_code(canvas, pictures, context, settings, seed, progress.within("code"))
        codes = _extended_codes(code, canvas, pictures, context)
        location = codes.mean(axis=0)
        scale = np.maximum((codes - location).std(axis=(0, 2, 3)), 1e-4)[:, None, None]
        clean = ((codes - location) / scale).astype(np.float32)
        prior = Prior.fit(clean.reshape(len(clean), -1), _AXES)
        around = canvas.coarse(context)
        net = _build_net(settings, clean.shape[1], around.shape[1], steering.values.shape[1], seed)
        targets = torch.from_numpy(clean)

        def loss(net: nn.Module, rows: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
            given = steering.dropped(rows, noise, jitter=_JITTER)
            near = around.to(rows.device)[rows]
            there, wanted = prior.to(rows.device), targets.to(rows.device)[rows]
            return flow_loss(
                lambda x, sigma: net(torch.cat([x, near], dim=1), sigma, given),
                there, wanted, noise,
            )  # fmt: skip

        config = TrainConfig(
            steps=settings.flow_steps, batch_size=2 * settings.batch_size, weight_decay=0.05,
            ema_decay=0.995,
        )  # fmt: skip
        within = progress.within("flow")
        train(net, loss, len(images), config, seed=seed, progress=within, label="pictures")
        return cls(settings, canvas, code, location, scale.astype(np.float32), prior, net)

    def sample(
        self,
        ids: list[str],
        masks: np.ndarray | None,
        steering: Steering,
        *,
        seed: int,
        guidance: float,
        progress: Progress,
    ) -> np.ndarray:
        """Return pixels, uint8 (n, c, h, w), one picture per id; ``masks`` as in fitting."""
        made = []
        shape = self.location.shape
        with torch.inference_mode(), progress.step("pictures", len(ids)) as bar:
            for positions, used in fixed_batches(len(ids), self.settings.batch_size):
                here = [ids[p] for p in positions]
                own = None if masks is None else masks[positions]
                context = self.canvas.context(len(here), own, np.ones(len(here), dtype=bool))
                noise = seeding.normal(seed, here, shape, stream="code").astype(np.float32)
                given = steering.rows(torch.from_numpy(positions))
                codes = self._integrate(torch.from_numpy(noise), context, given, guidance)
                made.append(self._decode(codes, context, here, seed)[:used])
                bar.advance(used)
        return np.concatenate(made)

    def _integrate(
        self, noise: torch.Tensor, context: torch.Tensor, given: torch.Tensor, guidance: float
    ) -> np.ndarray:
        near = self.canvas.coarse(context)

        def net(x: torch.Tensor, sigma: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
            return self.net(torch.cat([x, near], dim=1), sigma, given)

        steps = self.settings.sampling_steps
        made = integrate(guided(net, given, guidance), self.prior, noise, steps)
        return made.numpy() * self.scale + self.location

    def _decode(
        self, codes: np.ndarray, context: torch.Tensor, ids: list[str], seed: int
    ) -> np.ndarray:
        grain = codes[:, self.settings.code :].mean(axis=(2, 3))  # (b, c * 3)
        picture_codes = torch.from_numpy(codes[:, : self.settings.code].astype(np.float32))
        smooth = self.canvas.brightness(self.code.decode(picture_codes, context))
        noise = seeding.normal(seed, ids, smooth.shape[1:], stream="grain")
        return self.canvas.pixels(add_grain(smooth, grain, noise))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the networks and statistics as arrays for `casemix.core.artifact`."""
        return joined(
            canvas=self.canvas.to_arrays(),
            code=state_arrays(self.code),
            codes={"location": self.location, "scale": self.scale},
            prior=self.prior.to_arrays(),
            net=state_arrays(self.net),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON-ready content."""
        return {"settings": asdict(self.settings), "canvas": self.canvas.to_json()}

    @classmethod
    def load(
        cls, arrays: Mapping[str, np.ndarray], content: Mapping[str, Any], conditions: int
    ) -> PictureFlow:
        """Rebuild what `to_arrays` and `to_json` returned, for conditions of this width."""
        settings = PictureSettings(**content["settings"])
        canvas = Canvas.load(part(arrays, "canvas"), content["canvas"])
        code = _build_code(canvas, settings, 0)
        load_state(code, part(arrays, "code"))
        codes = part(arrays, "codes")
        net = _build_net(settings, len(codes["location"]), canvas.coarse_maps, conditions, 0)
        load_state(net, part(arrays, "net"))
        prior = Prior.from_arrays(part(arrays, "prior"))
        return cls(
            settings, canvas, code.eval(), codes["location"], codes["scale"], prior, net.eval()
        )


def _build_code(canvas: Canvas, settings: PictureSettings, seed: int) -> PictureCode:
    return seeded(
        seeding.child(seed, "code"),
        lambda: PictureCode(
            canvas.channels, canvas.maps, settings.code, canvas.patch, settings.width
        ),
    )


def _build_net(
    settings: PictureSettings, code: int, around: int, conditions: int, seed: int
) -> PatchUNet:
    return seeded(
        seeding.child(seed, "flow"),
        lambda: PatchUNet(code + around, code, 2 * conditions, 1, settings.width),
    )


def _fit_code(
    canvas: Canvas,
    pictures: torch.Tensor,
    context: torch.Tensor,
    settings: PictureSettings,
    seed: int,
    progress: Progress,
) -> PictureCode:
    net = _build_code(canvas, settings, seed)

    def loss(net: Any, rows: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
        clean, around = pictures.to(rows.device)[rows], context.to(rows.device)[rows]
        codes = net.encode(clean, around)
        jitter = torch.randn(codes.shape, generator=noise).to(rows.device)
        made = net.decode(codes + _CODE_NOISE * jitter, around)
        cost = 0.5 * (codes**2).sum() / clean.numel()
        return F.smooth_l1_loss(made, clean, beta=0.3) + _CODE_COST * cost

    config = TrainConfig(
        steps=settings.code_steps, batch_size=settings.batch_size, learning_rate=2e-3,
        weight_decay=0.01, ema_decay=0.99,
    )  # fmt: skip
    train(net, loss, len(pictures), config, seed=seed, progress=progress, label="picture codes")
    return net


def _extended_codes(
    net: PictureCode, canvas: Canvas, pictures: torch.Tensor, context: torch.Tensor
) -> np.ndarray:
    """Return codes with the grain's levels as further, constant channels, (n, k, gh, gw)."""
    found = []
    with torch.inference_mode():
        for start in range(0, len(pictures), 64):
            own, around = pictures[start : start + 64], context[start : start + 64]
            codes = net.encode(own, around)
            smooth = canvas.brightness(net.decode(codes, around))
            grain = grain_levels(canvas.brightness(own), smooth)[:, :, None, None]
            flat = np.broadcast_to(grain, (*grain.shape[:2], *codes.shape[2:]))
            found.append(np.concatenate([codes.numpy(), flat], axis=1))
    return np.concatenate(found)
