"""The generator of masks: a rectified flow over codes of the shape space, given conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from casemix.core import seeding
from casemix.core.batches import fixed_batches
from casemix.core.progress import Progress
from casemix.core.training import TrainConfig, load_state, seeded, state_arrays, train
from casemix.modalities.imaging.conditioning import Steering, with_constant
from casemix.modalities.imaging.flow_matching import Prior, flow_loss, guided, integrate
from casemix.modalities.imaging.linear_mean import LinearMean
from casemix.modalities.imaging.nested import joined, part
from casemix.modalities.imaging.shapes import ShapeSpace

_AXES = 32
_WIDTH = 256
_BATCH = 128  # rows per training step and per sampling batch
_STEPS = 16  # Euler steps
_JITTER = 0.1  # standard deviations
_FREQUENCIES = 8


class CodeNet(nn.Module):
    """Velocity network over short vectors: two residual blocks, steered by FiLM.

    Args:
        size: numbers per code.
        conditions: numbers per sample that steer it, 0 or more.
    """

    def __init__(self, size: int, conditions: int) -> None:
        super().__init__()
        self.enter = nn.Linear(size + 2 * _FREQUENCIES, _WIDTH)
        self.steer = nn.Sequential(
            nn.Linear(conditions + 1, _WIDTH), nn.SiLU(), nn.Linear(_WIDTH, 2 * _WIDTH)
        )
        self.norm = nn.LayerNorm(_WIDTH)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.SiLU(), nn.Linear(_WIDTH, _WIDTH)) for _ in range(2)
        )
        self.leave = nn.Linear(_WIDTH, size)
        nn.init.zeros_(self.leave.weight)  # starts as "nothing to add to the linear guess"
        nn.init.zeros_(self.leave.bias)

    def forward(
        self, noisy: torch.Tensor, sigma: torch.Tensor, conditions: torch.Tensor
    ) -> torch.Tensor:
        """Return the residual velocity, (b, size)."""
        h = self.enter(torch.cat([noisy, _waves(sigma)], dim=1))  # (b, width)
        scale, shift = self.steer(with_constant(conditions)).chunk(2, dim=1)
        for block in self.blocks:
            h = h + block(self.norm(h) * (1 + scale) + shift)
        return self.leave(h)


def _waves(sigma: torch.Tensor) -> torch.Tensor:
    """Return sines and cosines of the noise level, (b, 16)."""
    frequencies = torch.exp(torch.linspace(0, 5, _FREQUENCIES, device=sigma.device))
    angle = sigma[:, None] * frequencies
    return torch.cat([torch.sin(angle), torch.cos(angle)], dim=1)


@dataclass
class MaskFlow:
    """A fitted mask generator.

    Args:
        space: codes of masks.
        mean: the codes' mean given conditions.
        prior: normal approximation of what the mean leaves over.
        net: velocity network.
    """

    space: ShapeSpace
    mean: LinearMean
    prior: Prior
    net: CodeNet

    @classmethod
    def fit(
        cls,
        masks: np.ndarray,
        labels: int,
        steering: Steering,
        *,
        steps: int,
        seed: int,
        progress: Progress,
    ) -> MaskFlow:
        """Learn masks, uint8 (n, m, h, w), given their conditions.

        Args:
            masks: values below ``labels``.
            labels: number of labels, the background included.
            steering: the conditions of each mask.
            steps: optimiser steps.
            seed: of everything random.
            progress: where to report.
        """
        space = ShapeSpace.fit(masks, labels, most_axes=min(_AXES, max(len(masks) // 3, 1)))
        codes = space.encode(masks)
        everything = steering.rows(torch.arange(len(masks)))
        mean, left = LinearMean.fit(everything.numpy(), codes)
        prior = Prior.fit(left, space.width)
        net = seeded(seed, lambda: CodeNet(space.width, 2 * steering.values.shape[1]))
        unseen = mean(everything) + torch.from_numpy(left)  # as if each were left out

        def loss(net: nn.Module, rows: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
            given = steering.dropped(rows, noise, jitter=_JITTER)
            there = prior.to(rows.device)
            clean = unseen.to(rows.device)[rows] - mean(given)
            return flow_loss(lambda x, sigma: net(x, sigma, given), there, clean, noise)

        config = TrainConfig(steps=steps, batch_size=_BATCH, weight_decay=0.05, ema_decay=0.995)
        train(net, loss, len(masks), config, seed=seed, progress=progress, label="masks")
        return cls(space, mean, prior, net)

    def sample(
        self, ids: list[str], steering: Steering, *, seed: int, guidance: float
    ) -> np.ndarray:
        """Return masks, uint8 (n, m, h, w), one per id."""
        noise = seeding.normal(seed, ids, (self.space.width,), stream="mask").astype(np.float32)
        codes = np.empty_like(noise)
        with torch.inference_mode():
            for positions, used in fixed_batches(len(ids), _BATCH):
                given = steering.rows(torch.from_numpy(positions))
                velocity = guided(self.net, given, guidance)
                made = integrate(velocity, self.prior, torch.from_numpy(noise[positions]), _STEPS)
                codes[positions[:used]] = (made + self.mean(given))[:used].numpy()
        return self.space.decode(codes)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the generator as arrays for `casemix.core.artifact`."""
        return joined(
            space=self.space.to_arrays(),
            mean=self.mean.to_arrays(),
            prior=self.prior.to_arrays(),
            net=state_arrays(self.net),
        )

    @classmethod
    def load(cls, arrays: Mapping[str, np.ndarray], conditions: int) -> MaskFlow:
        """Rebuild what `to_arrays` returned; ``conditions`` is the encoder's width."""
        space = ShapeSpace.from_arrays(part(arrays, "space"))
        net = CodeNet(space.width, 2 * conditions)
        load_state(net, part(arrays, "net"))
        mean = LinearMean.from_arrays(part(arrays, "mean"))
        return cls(space, mean, Prior.from_arrays(part(arrays, "prior")), net.eval())
