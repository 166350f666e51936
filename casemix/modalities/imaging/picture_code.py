"""The picture code: an autoencoder that knows the mask.

A picture becomes a coarse grid of numbers (the code). The decoder sees the mask's distance maps
at full resolution, so contours stay sharp although the code is coarse. Fine grain, which no code
of that size can hold, is described apart (see `casemix.modalities.imaging.coloured_grain`).

Reference:
    Rombach R et al. High-resolution image synthesis with latent diffusion models. CVPR 2022.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from casemix.modalities.imaging.unet import PatchUNet

_DRAWN = 12  # feature maps that the decoder hands to its full-resolution head
_HEAD = 16  # channels of that head


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
