"""Rectified flow: the straight path from noise to data, its preconditioned loss and its sampler.

At noise level ``sigma`` in [0, 1] a sample is ``x = (1 - sigma) * clean + sigma * noise``, and the
velocity is ``noise - clean``. Data are standardised, so the best *linear* guess of the velocity
is known; the network only learns what that guess leaves over, at unit scale at every level.

References:
    Liu X et al. Flow straight and fast. ICLR 2023 (arXiv:2209.03003).
    Karras T et al. Elucidating the design space of diffusion-based generative models. NeurIPS
    2022 (arXiv:2206.00364): preconditioning.
    Esser P et al. Scaling rectified flow transformers. ICML 2024 (arXiv:2403.03206): noise levels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

#: (noisy (b, ...), sigma (b,)) -> what the linear guess leaves over, of the noisy input's shape.
Residual = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def flow_loss(residual: Residual, clean: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return the mean squared error of the network's share of the velocity.

    Args:
        residual: the network.
        clean: standardised data, (b, ...).
        generator: a CPU generator for the noise levels (logit-normal) and the noise.
    """
    noise = torch.randn(clean.shape, generator=generator).to(clean.device)
    sigma = torch.sigmoid(torch.randn(len(clean), generator=generator)).to(clean.device)  # (b,)
    level = _like(sigma, clean)
    noisy = (1 - level) * clean + level * noise
    skip, scale = _precondition(level)
    target = (noise - clean - skip * noisy) / scale
    return torch.mean((residual(noisy, sigma) - target) ** 2)


def integrate(residual: Residual, noise: torch.Tensor, steps: int) -> torch.Tensor:
    """Return clean samples, (b, ...), from standard normal noise by Euler steps.

    Args:
        residual: the network.
        noise: standard normal, (b, ...).
        steps: Euler steps of equal size.
    """
    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1.0 / steps, steps), device=noise.device)
    x = noise
    for time, sigma in zip(scheduler.timesteps, scheduler.sigmas[:-1], strict=True):
        levels = sigma.expand(len(x))
        skip, scale = _precondition(_like(levels, x))
        velocity = skip * x + scale * residual(x, levels)
        x = scheduler.step(velocity, time, x).prev_sample
    return x


def _precondition(sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the best linear factor of the velocity and the spread of its error, unit data."""
    variance = sigma**2 + (1 - sigma) ** 2
    return (2 * sigma - 1) / variance, variance**-0.5


def _like(sigma: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return sigma.reshape(-1, *[1] * (x.ndim - 1))
