"""The picture's velocity network: a small UNet over patches, steered by mask and conditions."""

from __future__ import annotations

import torch
from diffusers import UNet2DModel
from torch import nn
from torch.nn import functional as F


class PatchUNet(nn.Module):
    """A diffusers UNet on a grid of patches (pixel-unshuffled pictures).

    The conditions enter through the time embedding, which scales and shifts every block (FiLM);
    the mask and the position enter as further channels.

    Args:
        channels: channels of the pictures.
        context: channels of the spatial context (mask labels), 0 for none.
        conditions: numbers per sample that steer the picture.
        patch: side of a patch in pixels.
        width: channels of the first level; the second has twice as many.
    """

    def __init__(
        self, channels: int, context: int, conditions: int, patch: int, width: int
    ) -> None:
        super().__init__()
        self.patch = patch
        inner = channels * patch**2
        self.unet = UNet2DModel(
            in_channels=inner + width // 2 + 2,
            out_channels=inner,
            block_out_channels=(width, 2 * width),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "UpBlock2D"),
            attention_head_dim=width // 2,
            norm_num_groups=8,
            resnet_time_scale_shift="scale_shift",
            class_embed_type="identity",
        )
        self.context = nn.Conv2d(max(context, 1) * patch**2, width // 2, 1)
        embedding = 4 * width  # the time embedding of UNet2DModel
        self.steer = nn.Sequential(
            nn.Linear(max(conditions, 1), embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )

    def forward(
        self,
        noisy: torch.Tensor,
        sigma: torch.Tensor,
        context: torch.Tensor,
        conditions: torch.Tensor,
    ) -> torch.Tensor:
        """Return the residual velocity, (b, channels, h, w).

        Args:
            noisy: (b, channels, h, w), sides divisible by twice the patch.
            sigma: noise levels, (b,).
            context: (b, context, h, w).
            conditions: (b, conditions).
        """
        patches = F.pixel_unshuffle(noisy, self.patch)  # (b, channels * patch**2, gh, gw)
        around = self.context(F.pixel_unshuffle(context, self.patch))  # (b, width // 2, gh, gw)
        inputs = torch.cat([patches, around, _position(patches)], dim=1)
        steering = self.steer(conditions)
        made = self.unet(inputs, sigma * 1000, class_labels=steering).sample
        return F.pixel_shuffle(made, self.patch)


def _position(grid: torch.Tensor) -> torch.Tensor:
    """Return two channels that say where each patch is, (b, 2, gh, gw) in [-1, 1]."""
    b, _, h, w = grid.shape
    y = torch.linspace(-1, 1, h, device=grid.device).reshape(1, 1, h, 1).expand(b, 1, h, w)
    x = torch.linspace(-1, 1, w, device=grid.device).reshape(1, 1, 1, w).expand(b, 1, h, w)
    return torch.cat([y, x], dim=1).to(grid.dtype)
