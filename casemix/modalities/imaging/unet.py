"""A small diffusers UNet over patches, steered by conditions."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import UNet2DModel
from torch import nn
from torch.nn import functional as F

from casemix.modalities.imaging.conditioning import with_constant


class PatchUNet(nn.Module):
    """A UNet on the grid of a picture's patches (pixel-unshuffled pictures).

    Conditions and noise level scale and shift every block (FiLM, through the time embedding); the
    position of each patch enters as two further channels, because anatomy has its place.

    Args:
        inputs: channels of the input pictures.
        outputs: channels of the output pictures.
        conditions: numbers per sample that steer the network, 0 or more.
        patch: side of a patch in pixels.
        width: channels of the first level; the second has twice as many.
    """

    def __init__(self, inputs: int, outputs: int, conditions: int, patch: int, width: int) -> None:
        super().__init__()
        self.patch = patch
        self.unet: Any = UNet2DModel(  # its types are not resolved
            in_channels=inputs * patch**2 + 2,
            out_channels=outputs * patch**2,
            block_out_channels=(width, 2 * width),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "UpBlock2D"),
            attention_head_dim=width // 2,
            norm_num_groups=8,
            resnet_time_scale_shift="scale_shift",
            class_embed_type="identity",
        )
        embedding = 4 * width  # the time embedding of UNet2DModel
        self.steer = nn.Sequential(
            nn.Linear(conditions + 1, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )
        for parameter in self.get_submodule("unet.conv_out").parameters():
            nn.init.zeros_(parameter)  # starts as "nothing to add"

    def forward(
        self, pictures: torch.Tensor, sigma: torch.Tensor, conditions: torch.Tensor
    ) -> torch.Tensor:
        """Return (b, outputs, h, w).

        Args:
            pictures: (b, inputs, h, w), sides divisible by twice the patch.
            sigma: noise levels, (b,).
            conditions: (b, conditions).
        """
        patches = F.pixel_unshuffle(pictures, self.patch)  # (b, inputs * patch**2, gh, gw)
        grid = torch.cat([patches, _position(patches)], dim=1)
        made = self.unet(
            grid, sigma * 1000, class_labels=self.steer(with_constant(conditions))
        ).sample
        return F.pixel_shuffle(made, self.patch)


def _position(grid: torch.Tensor) -> torch.Tensor:
    """Return two channels that say where each patch is, (b, 2, gh, gw) in [-1, 1]."""
    b, _, h, w = grid.shape
    y = torch.linspace(-1, 1, h, device=grid.device).reshape(1, 1, h, 1).expand(b, 1, h, w)
    x = torch.linspace(-1, 1, w, device=grid.device).reshape(1, 1, 1, w).expand(b, 1, h, w)
    return torch.cat([y, x], dim=1).to(grid.dtype)
