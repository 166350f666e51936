"""The picture code: an autoencoder that knows the mask, and a noise curve for what it leaves out.

A picture becomes a coarse grid of numbers (the code). The decoder sees the mask's distance maps
at full resolution, so contours stay sharp although the code is coarse. Fine grain, which no code
of that size can hold, is described by its amplitude at three brightnesses and drawn afresh.

References:
    Rombach R et al. High-resolution image synthesis with latent diffusion models. CVPR 2022.
    Liu C et al. Noise estimation from a single image. CVPR 2006: noise level functions.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import nn
from torch.nn import functional as F

from casemix.modalities.imaging.unet import PatchUNet

_DRAWN = 12  # feature maps that the decoder hands to its full-resolution head
_HEAD = 16  # channels of that head
_KNOTS = np.array([0.15, 0.5, 0.85])  # brightness at which the grain's amplitude is described
_LAPLACE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
_LEAST_GRAIN = 1e-3  # of white


class PictureCode(nn.Module):
    """Encoder and decoder.

    Args:
        channels: of the pictures.
        context: maps that accompany every picture, 0 or more.
        code: numbers per cell of the code's grid.
        patch: side of a decoder patch in pixels; a cell of the code covers two by two patches.
        width: channels of the first level.
    """

    def __init__(self, channels: int, context: int, code: int, patch: int, width: int) -> None:
        super().__init__()
        self.cell = 2 * patch
        wide = 2 * width
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(patch),
            nn.Conv2d((channels + context) * patch**2, wide, 3, padding=1),
            nn.SiLU(),
            nn.GroupNorm(8, wide),
            nn.Conv2d(wide, wide, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.GroupNorm(8, wide),
            nn.Conv2d(wide, wide, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(wide, code, 1),
        )
        self.decoder = PatchUNet(code + context, _DRAWN, 0, patch, width)
        self.head = nn.Sequential(
            nn.Conv2d(_DRAWN + context, _HEAD, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(_HEAD, _HEAD, 1),
            nn.SiLU(),
            nn.Conv2d(_HEAD, channels, 3, padding=1),
        )

    def encode(self, pictures: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """Return codes, (b, code, h / cell, w / cell)."""
        return self.encoder(torch.cat([pictures, context], dim=1))

    def decode(self, codes: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """Return pictures, (b, channels, h, w)."""
        spread = F.interpolate(codes, scale_factor=self.cell, mode="bilinear")
        unsteered = codes.new_zeros(len(codes), 0)
        still = codes.new_zeros(len(codes))
        drawn = self.decoder(torch.cat([spread, context], dim=1), still, unsteered)
        return self.head(torch.cat([drawn, context], dim=1))


def grain_levels(pictures: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    """Return log amplitudes of the grain at dark, middle and bright, float32 (n, c * 3).

    Args:
        pictures: float32 (n, c, h, w) in [0, 1].
        smooth: what the decoder makes of them, same shape.

    A Laplacian keeps grain and forgets whatever else the decoder missed, such as an edge that is
    out of place. Where a picture has too few pixels of a brightness, its overall level stands in.
    """
    response = ndimage.convolve(pictures - smooth, _LAPLACE[None, None], mode="nearest") / 6
    n, c = pictures.shape[:2]
    levels = np.empty((n, c, len(_KNOTS)), dtype=np.float32)
    edges = (_KNOTS[1:] + _KNOTS[:-1]) / 2
    for i, j in np.ndindex(n, c):
        size, band = np.abs(response[i, j]), np.digitize(smooth[i, j], edges)
        overall = np.median(size)
        for k in range(len(_KNOTS)):
            there = size[band == k]
            levels[i, j, k] = np.median(there) if len(there) >= 20 else overall
    return np.log(1.4826 * levels + _LEAST_GRAIN).reshape(n, -1)


def add_grain(smooth: np.ndarray, levels: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return pictures with grain whose amplitude follows the local brightness.

    Args:
        smooth: float32 (n, c, h, w) in [0, 1].
        levels: as `grain_levels` returns, (n, c * 3).
        noise: standard normal, (n, c, h, w).
    """
    n, c = smooth.shape[:2]
    curves = np.exp(levels.reshape(n, c, len(_KNOTS))) - _LEAST_GRAIN
    made = np.empty_like(smooth)
    for i, j in np.ndindex(n, c):
        amplitude = np.interp(smooth[i, j], _KNOTS, curves[i, j].clip(0))
        made[i, j] = smooth[i, j] + amplitude * noise[i, j]
    return made
