"""The two networks of the DCGAN: a painter of pictures and masks, and its critic."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from casemix.modalities.imaging.conditioning import with_constant

NOISE = 64  # numbers that a picture starts from
GROUP = 4  # pictures among which the critic looks for variety
_FAR = 7  # pixels, side of the square around a label's known places where it may be painted
_FORBIDDEN = -20.0  # logit of a label elsewhere
_STYLE = 128  # numbers that steer every normalisation


@dataclass(frozen=True)
class Frame:
    """What the networks draw: maps of one size.

    Args:
        maps: channels of pictures, and one per mask label and frame.
        pictures: how many of the maps are picture channels.
        labels: mask labels, 0 = no masks.
        height: pixels.
        width: pixels.
    """

    maps: int
    pictures: int
    labels: int
    height: int
    width: int

    @property
    def doublings(self) -> int:
        """How often a start of about 4 to 7 pixels is doubled, at least once."""
        return max((min(self.height, self.width) // 4).bit_length() - 1, 1)

    @property
    def start(self) -> tuple[int, int]:
        """Height and width that the painter starts from, pixels."""
        factor = 2**self.doublings
        return -(-self.height // factor), -(-self.width // factor)

    def widths(self, width: int) -> list[int]:
        """Channels from half to coarsest resolution: twice ``width``, doubled up to eightfold."""
        return [width * min(2**k, 8) for k in range(1, self.doublings + 1)]


class SteeredNorm(nn.Module):
    """Group normalisation whose scale and shift follow noise and conditions, then SiLU.

    Reference:
        Perez E et al. FiLM: visual reasoning with a general conditioning layer. AAAI 2018.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels, affine=False)
        self.steer = nn.Linear(_STYLE, 2 * channels)
        nn.init.normal_(self.steer.weight, std=0.05)
        nn.init.zeros_(self.steer.bias)

    def forward(self, h: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """Return (b, channels, h, w); ``style`` is (b, 128)."""
        scale, shift = self.steer(style)[:, :, None, None].chunk(2, dim=1)
        return F.silu(self.norm(h) * (1 + scale) + shift)


class Painter(nn.Module):
    """DCGAN generator; its group normalisation has no train and test mode to mix up.

    A label is painted only near where `learn_places` has seen it.

    Args:
        frame: what to draw.
        conditions: numbers per sample, 0 or more.
        width: half the channels at half resolution; doubled at each coarser one, up to eightfold.

    References:
        Radford A et al. Unsupervised representation learning with DCGAN. ICLR 2016.
        Karras T et al. A style-based generator architecture for GANs. CVPR 2019: noise inputs.
    """

    forbidden: torch.Tensor

    def __init__(self, frame: Frame, conditions: int, width: int) -> None:
        super().__init__()
        self.frame = frame
        places = (frame.maps - frame.pictures, frame.height, frame.width)
        self.register_buffer("forbidden", torch.zeros(places))
        widths = frame.widths(width)[::-1]
        inputs = NOISE + conditions + 1
        self.style = nn.Sequential(
            nn.Linear(inputs, _STYLE), nn.SiLU(), nn.Linear(_STYLE, _STYLE), nn.SiLU()
        )
        self.enter = nn.Linear(inputs, widths[0] * frame.start[0] * frame.start[1])
        self.norms = nn.ModuleList(SteeredNorm(channels) for channels in widths)
        outputs = frame.maps + frame.pictures  # and how strong the grain of each picture channel is
        self.doublings = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 4, stride=2, padding=1)
            for a, b in pairwise([*widths, outputs])
        )

    def learn_places(self, real: torch.Tensor) -> None:
        """Allow each label where maps (n, maps, h, w) have it, and near there."""
        if not self.frame.labels:
            return
        ever = real[:, self.frame.pictures :].amax(dim=0)  # (labels * frames, h, w)
        near = F.max_pool2d(ever, _FAR, stride=1, padding=_FAR // 2)
        self.forbidden = _FORBIDDEN * (1 - near)

    def forward(
        self, noise: torch.Tensor, grain: torch.Tensor, conditions: torch.Tensor
    ) -> torch.Tensor:
        """Return maps, (b, maps, h, w): pictures near [-1, 1], then one-hot labels.

        Labels pass gradients as their probabilities would (straight-through), so that the critic
        cannot tell real masks by their being certain.

        Args:
            noise: standard normal, (b, 64).
            grain: of the expected amplitude, (b, pictures, h, w); the network may change it by
                up to twofold where it wants.
            conditions: (b, conditions).
        """
        start = torch.cat([noise, with_constant(conditions)], dim=1)
        style = self.style(start)
        h = self.enter(start).unflatten(1, (-1, *self.frame.start))
        for norm, doubling in zip(self.norms, self.doublings, strict=True):
            h = _softened(doubling(norm(h, style)))
        h = h[:, :, : self.frame.height, : self.frame.width]
        clean, labels, level = h.split(
            [self.frame.pictures, self.frame.maps - self.frame.pictures, self.frame.pictures], dim=1
        )
        drawn = torch.tanh(clean) + 2 * torch.sigmoid(level) * grain
        if not self.frame.labels:
            return drawn
        soft = (labels + self.forbidden).unflatten(1, (-1, self.frame.labels)).softmax(dim=2)
        hard = (soft == soft.amax(dim=2, keepdim=True)).to(soft.dtype)
        return torch.cat([drawn, (hard + soft - soft.detach()).flatten(1, 2)], dim=1)


class Critic(nn.Module):
    """Spectrally normalised discriminator; conditions by projection, variety by small groups.

    References:
        Miyato T et al. Spectral normalization for GANs. ICLR 2018.
        Miyato T, Koyama M. cGANs with projection discriminator. ICLR 2018.
        Karras T et al. Progressive growing of GANs. ICLR 2018: minibatch standard deviation.
    """

    def __init__(self, frame: Frame, conditions: int, width: int) -> None:
        super().__init__()
        widths = [frame.maps, *frame.widths(width)]
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        self.last = spectral_norm(nn.Conv2d(widths[-1] + 1, widths[-1], 3, padding=1))
        self.judge = spectral_norm(nn.Linear(widths[-1], 1))
        self.match = spectral_norm(nn.Linear(conditions + 1, widths[-1]))

    def forward(self, maps: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
        """Return how real the maps look for these conditions, (b, 1).

        Args:
            maps: (b, maps, h, w); each four neighbours are real, or made, together.
            conditions: (b, conditions).
        """
        h = self.body(maps)
        h = F.leaky_relu(self.last(torch.cat([h, _variety(h)], dim=1)), 0.2)
        seen = h.sum(dim=(2, 3))  # (b, features)
        fit = (seen * self.match(with_constant(conditions))).sum(dim=1, keepdim=True)
        return self.judge(seen) + fit


def _softened(h: torch.Tensor) -> torch.Tensor:
    """Return h without the checkerboard that transposed convolutions leave."""
    line = h.new_tensor([0.25, 0.5, 0.25])
    kernel = (line[:, None] * line).expand(h.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(h, (1, 1, 1, 1), mode="replicate"), kernel, groups=h.shape[1])


def _variety(h: torch.Tensor) -> torch.Tensor:
    """Return the mean spread within groups of four as one more channel, (b, 1, h, w)."""
    groups = h.unflatten(0, (-1, GROUP))
    spread = (groups.var(dim=1, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    return spread.repeat_interleave(GROUP)[:, None, None, None].expand(-1, 1, *h.shape[2:])
