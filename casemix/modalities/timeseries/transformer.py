"""A transformer over patches whose layers are steered by time and context."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class PatchTransformer(nn.Module):
    """The velocity of a flow over patch vectors.

    Args:
        width: of a patch vector.
        count: patches of a series.
        context: width of the context vector.
        hidden: width of the layers.
        layers: number of them.
        heads: attention heads of each.
        placed: whether a patch knows its place. Vitals have a first hour; a waveform starts
            anywhere, so its patches know their distances only.

    Reference:
        Peebles and Xie, Scalable diffusion models with transformers, ICCV 2023 (adaLN-zero).
        Su et al., RoFormer: rotary position embedding, arXiv:2104.09864, 2021.
    """

    turns: torch.Tensor

    def __init__(
        self,
        width: int,
        count: int,
        context: int,
        *,
        hidden: int,
        layers: int,
        heads: int,
        placed: bool,
    ) -> None:
        super().__init__()
        self.enter = nn.Linear(width, hidden)
        self.place = nn.Parameter(torch.randn(count, hidden) * 0.02) if placed else None
        self.register_buffer("turns", _turns(count, hidden // heads), persistent=False)
        self.steer = nn.Sequential(
            nn.Linear(_TIME_WIDTH + context, hidden), nn.SiLU(), nn.Linear(hidden, hidden)
        )
        self.layers = nn.ModuleList(_Layer(hidden, heads) for _ in range(layers))
        self.leave = nn.Linear(hidden, width)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: torch.Tensor, time: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """Return the velocity, (b, count, width).

        Args:
            x: noisy patches, (b, count, width).
            time: 0 = noise, 1 = data, (b,).
            context: (b, k).
        """
        steering = F.silu(self.steer(torch.cat([_waves(time), context], dim=-1)))  # (b, hidden)
        h = self.enter(x) if self.place is None else self.enter(x) + self.place
        for layer in self.layers:
            h = layer(h, steering, self.turns)
        return self.leave(F.layer_norm(h, h.shape[-1:]))


_TIME_WIDTH = 32


def _waves(time: torch.Tensor) -> torch.Tensor:
    """Return sines and cosines of a time in [0, 1], (b, 32)."""
    frequencies = torch.exp(torch.linspace(0.0, 5.0, _TIME_WIDTH // 2, device=time.device))
    angle = time[:, None] * frequencies
    return torch.cat([torch.sin(angle), torch.cos(angle)], dim=-1)


class _Layer(nn.Module):
    """Attention and a two-layer network, each scaled, shifted and gated by the steering."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attend = nn.Linear(hidden, 3 * hidden)
        self.merge = nn.Linear(hidden, hidden)
        self.widen = nn.Linear(hidden, 3 * hidden)
        self.narrow = nn.Linear(3 * hidden, hidden)
        self.modulate = nn.Linear(hidden, 6 * hidden)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, h: torch.Tensor, steering: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
        """Return (b, count, hidden)."""
        parts = self.modulate(steering)[:, None].chunk(6, dim=-1)  # each (b, 1, hidden)
        h = h + parts[2] * self._attention(_steered(h, parts[0], parts[1]), turns)
        return h + parts[5] * self.narrow(F.gelu(self.widen(_steered(h, parts[3], parts[4]))))

    def _attention(self, h: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
        b, count, hidden = h.shape
        parts = self.attend(h).view(b, count, 3, self.heads, hidden // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # each (b, heads, count, hidden / heads)
        out = F.scaled_dot_product_attention(_turned(q, turns), _turned(k, turns), v)
        return self.merge(out.transpose(1, 2).reshape(b, count, hidden))


def _steered(h: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    return F.layer_norm(h, h.shape[-1:]) * (1 + scale) + shift


def _turns(count: int, width: int) -> torch.Tensor:
    """Return cosines and sines of each place and frequency, (2, count, width / 2)."""
    frequencies = 100.0 ** (-torch.arange(width // 2) / (width // 2))
    angle = torch.arange(count)[:, None] * frequencies
    return torch.stack([torch.cos(angle), torch.sin(angle)])


def _turned(x: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Rotate pairs of entries by their place: products then depend on distances."""
    first, second = x.chunk(2, dim=-1)
    cos, sin = turns
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
