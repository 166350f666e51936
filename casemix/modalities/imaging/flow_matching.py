"""Rectified flow: the straight path from noise to data, its preconditioned loss and its sampler.

At noise level ``sigma`` in [0, 1] a sample is ``x = (1 - sigma) * clean + sigma * noise``, and the
velocity is ``noise - clean``. Were the data normal, the best guess of the velocity would be linear
in ``x``: `Prior` makes that guess from the data's principal axes, and the network only learns what
it leaves over. Without any training the flow therefore already samples the fitted normal
distribution, and few steps of training are not spent on learning what algebra knows.

References:
    Liu X et al. Flow straight and fast. ICLR 2023 (arXiv:2209.03003).
    Karras T et al. Elucidating the design space of diffusion-based generative models. NeurIPS
    2022 (arXiv:2206.00364): preconditioning.
    Esser P et al. Scaling rectified flow transformers. ICML 2024 (arXiv:2403.03206): noise levels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from casemix.modalities.imaging.principal import principal_axes

#: (noisy (b, d...), sigma (b,)) -> what the linear guess leaves over, of the noisy input's shape.
Residual = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Prior:
    """A centred normal distribution: a few principal axes, and equal variance across the rest.

    Args:
        axes: orthonormal, float32 (k, d).
        variances: along the axes, float32 (k,).
        rest: variance of every other direction, float32 (1,).
    """

    axes: torch.Tensor
    variances: torch.Tensor
    rest: torch.Tensor

    @classmethod
    def fit(cls, data: np.ndarray, most_axes: int) -> Prior:
        """Return the probabilistic principal components of centred data, (n, d).

        Reference:
            Tipping ME, Bishop CM. Probabilistic principal component analysis. J R Stat Soc B
            1999; 61:611.
        """
        n, d = data.shape
        axes, variances = principal_axes(data, min(most_axes, n // 3, d))
        total = float((data.astype(np.float64) ** 2).sum()) / n
        rest = max((total - variances.sum()) / max(d - len(axes), 1), 1e-4)
        arrays = (axes, variances, np.array([rest]))
        return cls(*(torch.from_numpy(a.astype(np.float32)) for a in arrays))

    def velocity(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return the best linear guess of the velocity, of x's shape."""
        flat = x.flatten(1)  # (b, d)
        rest = _slope(sigma[:, None], self.rest)  # (b, 1)
        slopes = _slope(sigma[:, None], self.variances)  # (b, k)
        inside = (flat @ self.axes.T) * (slopes - rest)  # (b, k)
        return (rest * flat + inside @ self.axes).reshape(x.shape)

    def to(self, device: torch.device) -> Prior:
        """Return the prior on another device."""
        return Prior(*(getattr(self, f.name).to(device) for f in fields(self)))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the prior as arrays for `casemix.core.artifact`."""
        return {f.name: getattr(self, f.name).numpy() for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Prior:
        """Rebuild what `to_arrays` returned."""
        return cls(*(torch.from_numpy(np.array(arrays[f.name])) for f in fields(cls)))


def flow_loss(
    residual: Residual, prior: Prior, clean: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Return the mean squared error of the network's share of the velocity.

    Args:
        residual: the network.
        prior: of the clean data.
        clean: data of about unit variance, (b, ...).
        generator: a CPU generator for the noise levels (logit-normal) and the noise.
    """
    noise = torch.randn(clean.shape, generator=generator).to(clean.device)
    sigma = torch.sigmoid(torch.randn(len(clean), generator=generator)).to(clean.device)  # (b,)
    level = _like(sigma, clean)
    noisy = (1 - level) * clean + level * noise
    target = (noise - clean - prior.velocity(noisy, sigma)) / _scale(level)
    return torch.mean((residual(noisy, sigma) - target) ** 2)


def integrate(residual: Residual, prior: Prior, noise: torch.Tensor, steps: int) -> torch.Tensor:
    """Return clean samples, (b, ...), from standard normal noise by Euler steps of equal size."""
    scheduler: Any = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1.0 / steps, steps), device=noise.device)
    x = noise
    for time, sigma in zip(scheduler.timesteps, scheduler.sigmas[:-1], strict=True):
        sigmas = sigma.expand(len(x))
        velocity = prior.velocity(x, sigmas) + _scale(_like(sigmas, x)) * residual(x, sigmas)
        x = scheduler.step(velocity, time, x).prev_sample
    return x


def guided(
    net: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor],
    given: torch.Tensor,
    scale: float,
) -> Residual:
    """Return the network under classifier-free guidance.

    Args:
        net: (noisy, sigma, conditions) -> residual velocity.
        given: conditions, (b, d).
        scale: 1 = as learnt; above 1 the conditions are followed more closely than they hold.

    Reference:
        Ho J, Salimans T. Classifier-free diffusion guidance. arXiv:2207.12598.
    """
    if scale == 1.0:
        return lambda x, sigma: net(x, sigma, given)
    nothing = torch.zeros_like(given)
    return lambda x, sigma: torch.lerp(net(x, sigma, nothing), net(x, sigma, given), scale)


def _slope(sigma: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
    """Return the regression slope of the velocity on x where the data have this variance."""
    return (sigma - (1 - sigma) * variance) / (sigma**2 + (1 - sigma) ** 2 * variance)


def _scale(sigma: torch.Tensor) -> torch.Tensor:
    """Return the spread of the linear guess's error for data of unit variance."""
    return (sigma**2 + (1 - sigma) ** 2) ** -0.5


def _like(sigma: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return sigma.reshape(-1, *[1] * (x.ndim - 1))
