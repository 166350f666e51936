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
from casemix.core.training import TrainConfig, device, load_state, seeded, state_arrays, train
from casemix.modalities.imaging.conditioning import Steering
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.flow_matching import Prior, flow_loss, guided, integrate
from casemix.modalities.imaging.linear_mean import LinearMean
from casemix.modalities.imaging.nested import joined, part
from casemix.modalities.imaging.picture_space import PictureSpace
from casemix.modalities.imaging.unet import PatchUNet

_AXES = 96
_JITTER = 0.05  # standard deviations, on numeric conditions in training


@dataclass(frozen=True)
class FlowSettings:
    """How large the velocity network is and how long it learns.

    Args:
        steps: optimiser steps.
        batch_size: rows per step.
        width: channels of the UNet's first level.
        sampling_steps: Euler steps.
    """

    steps: int
    batch_size: int
    width: int
    sampling_steps: int


@dataclass
class PictureFlow:
    """A fitted picture generator.

    Args:
        settings: see there.
        space: from pictures to codes and back.
        mean: the codes' mean given conditions and mask.
        prior: normal approximation of what the mean leaves over.
        net: velocity network.
    """

    settings: FlowSettings
    space: PictureSpace
    mean: LinearMean
    prior: Prior
    net: PatchUNet

    @classmethod
    def fit(
        cls,
        images: Images,
        space: PictureSpace,
        steering: Steering,
        settings: FlowSettings,
        *,
        seed: int,
        progress: Progress,
    ) -> PictureFlow:
        """Learn pictures given their masks and conditions.

        Args:
            images: the training pictures.
            space: fitted on them.
            steering: the conditions of each picture.
            settings: see there.
            seed: of everything random.
            progress: where to report.
        """
        context = space.canvas.context(len(images), images.masks, images.masked)
        near = space.canvas.coarse(context)  # (n, maps, gh, gw)
        codes = space.encode(images, context)  # (n, k, gh, gw)
        shape = codes.shape[1:]
        everything = _regressors(steering.rows(torch.arange(len(images))), near)
        flat = codes.reshape(len(codes), -1)
        mean, left = LinearMean.fit(everything.numpy(), flat)
        prior = Prior.fit(left, _AXES)
        # What a regression that had not seen the picture would leave over, given all conditions.
        unseen = mean(everything) + torch.from_numpy(left)
        net = _build(settings, shape[0], near.shape[1], steering.values.shape[1], seed)

        def loss(net: nn.Module, rows: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
            given = steering.dropped(rows, noise, jitter=_JITTER)
            around, there = near.to(rows.device)[rows], prior.to(rows.device)
            clean = unseen.to(rows.device)[rows] - mean(_regressors(given, around))
            return flow_loss(
                lambda x, sigma: net(torch.cat([x, around], dim=1), sigma, given),
                there,
                clean.reshape(-1, *shape),
                noise,
            )

        config = TrainConfig(
            steps=settings.steps,
            batch_size=settings.batch_size,
            weight_decay=0.05,
            ema_decay=0.995,
        )
        train(net, loss, len(images), config, seed=seed, progress=progress, label="pictures")
        return cls(settings, space, mean, prior, net)

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
        made, where = [], device()
        self.net.to(where)
        with torch.inference_mode(), progress.step("pictures", len(ids)) as bar:
            for positions, used in fixed_batches(len(ids), self.settings.batch_size):
                here = [ids[p] for p in positions]
                own = None if masks is None else masks[positions]
                context = self.space.canvas.context(len(here), own, np.ones(len(here), dtype=bool))
                given = steering.rows(torch.from_numpy(positions)).to(where)
                codes = self._codes(here, context.to(where), given, seed, guidance)
                made.append(self.space.decode(codes, context, here, seed)[:used])
                bar.advance(used)
        self.net.to("cpu")
        return np.concatenate(made)

    def _codes(
        self,
        ids: list[str],
        context: torch.Tensor,
        given: torch.Tensor,
        seed: int,
        guidance: float,
    ) -> np.ndarray:
        near = self.space.canvas.coarse(context)

        def net(x: torch.Tensor, sigma: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
            return self.net(torch.cat([x, near], dim=1), sigma, given)

        shape = self.space.code_shape
        noise = seeding.normal(seed, ids, shape, stream="code").astype(np.float32)
        x = torch.from_numpy(noise).to(near.device)
        prior, steps = self.prior.to(near.device), self.settings.sampling_steps
        left = integrate(guided(net, given, guidance), prior, x, steps)
        return (left + self.mean(_regressors(given, near)).reshape(left.shape)).cpu().numpy()

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return networks and statistics as arrays for `casemix.core.artifact`."""
        return joined(
            space=self.space.to_arrays(),
            mean=self.mean.to_arrays(),
            prior=self.prior.to_arrays(),
            net=state_arrays(self.net),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON-ready content."""
        return {"settings": asdict(self.settings), "space": self.space.to_json()}

    @classmethod
    def load(
        cls, arrays: Mapping[str, np.ndarray], content: Mapping[str, Any], conditions: int
    ) -> PictureFlow:
        """Rebuild what `to_arrays` and `to_json` returned, for conditions of this width."""
        settings = FlowSettings(**content["settings"])
        space = PictureSpace.load(part(arrays, "space"), content["space"])
        net = _build(settings, space.code_shape[0], space.canvas.coarse_maps, conditions, 0)
        load_state(net, part(arrays, "net"))
        mean = LinearMean.from_arrays(part(arrays, "mean"))
        return cls(settings, space, mean, Prior.from_arrays(part(arrays, "prior")), net.eval())


def _build(settings: FlowSettings, code: int, around: int, conditions: int, seed: int) -> PatchUNet:
    return seeded(
        seeding.child(seed, "flow"),
        lambda: PatchUNet(code + around, code, 2 * conditions, 1, settings.width),
    )


def _regressors(given: torch.Tensor, near: torch.Tensor) -> torch.Tensor:
    """Return conditions and the mask in 4 x 4 parts, side by side, (b, p)."""
    if not near.shape[1]:
        return given
    parts = F.adaptive_avg_pool2d(near, 4).flatten(1)
    return torch.cat([given, parts], dim=1)
