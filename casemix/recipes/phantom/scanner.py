"""What the scanner makes of a scene: blur, bias field, Rician noise and display curve.

Reference:
    Gudbjartsson H, Patz S. The Rician distribution of noisy MRI data. Magn Reson Med 1995;
    34:910.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from casemix.recipes.phantom.draws import Draws


@dataclass(frozen=True)
class Vendor:
    """One scanner style.

    Args:
        name: recorded name.
        share: share of the examinations.
        blur: standard deviation of the point-spread function, pixels.
        bias: scale of the log bias field.
        noise: standard deviation of each of the two noise channels, brightness of blood = 0.84.
        gain: brightness of the display window's top.
        gamma: exponent of the display curve; below 1 lifts the dark.
    """

    name: str
    share: float
    blur: float
    bias: float
    noise: float
    gain: float
    gamma: float


VENDORS = (
    Vendor("A", share=0.45, blur=0.45, bias=0.10, noise=0.020, gain=1.05, gamma=1.0),
    Vendor("B", share=0.30, blur=0.75, bias=0.22, noise=0.030, gain=1.15, gamma=0.72),
    Vendor("C", share=0.25, blur=0.35, bias=0.16, noise=0.048, gain=0.95, gamma=1.35),
)


def draw_vendor(draws: Draws) -> np.ndarray:
    """Return the position in `VENDORS` of each subject's scanner, (n,)."""
    return draws.choice("vendor", np.array([v.share for v in VENDORS]))


def acquire(scene: np.ndarray, vendor: np.ndarray, draws: Draws) -> np.ndarray:
    """Return the displayed pictures, uint8 of the scene's shape (n, 2, h, w).

    Args:
        scene: noise-free brightness, float32 (n, 2, h, w).
        vendor: position in `VENDORS`, (n,).
        draws: the imaging view's random numbers.
    """
    picture = np.empty_like(scene)
    for position, style in enumerate(VENDORS):
        mine = vendor == position
        picture[mine] = ndimage.gaussian_filter(scene[mine], (0, 0, style.blur, style.blur))
    noise, gain, gamma, bias = (
        np.array([getattr(v, name) for v in VENDORS])[vendor][:, None, None, None]
        for name in ("noise", "gain", "gamma", "bias")
    )
    picture = picture * np.exp(bias * _bias_field(scene.shape, draws))
    real, imaginary = np.moveaxis(draws.normal("mr noise", (2, *scene.shape[1:])), 1, 0)
    magnitude = np.hypot(picture + noise * real, noise * imaginary)
    return np.round(255.0 * np.clip(magnitude / gain, 0.0, 1.0) ** gamma).astype(np.uint8)


def _bias_field(shape: tuple[int, ...], draws: Draws) -> np.ndarray:
    """Return a smooth log gain, (n, 1, h, w): brighter towards the coil, upper left."""
    y, x = np.meshgrid(np.linspace(-1, 1, shape[2]), np.linspace(-1, 1, shape[3]), indexing="ij")
    weights = draws.normal("bias field", (5,))[:, :, None, None]
    slope = -(0.8 + 0.4 * weights[:, 0]) * x - (0.5 + 0.4 * weights[:, 1]) * y
    bend = 0.5 * (weights[:, 2] * (x**2 - 0.33) + weights[:, 3] * (y**2 - 0.33))
    return (slope + bend + 0.5 * weights[:, 4] * x * y)[:, None]
