"""A recurrent network that writes a series hour by hour, channel by channel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

_TIME_WIDTH = 12
_LEAST_SCALE = -5.0  # log of the narrowest mixture component, in standard deviations of the channel


@dataclass(frozen=True)
class Past:
    """What was recorded before a time.

    Args:
        last: last recorded score of each channel, 0 before the first, (b, t, c).
        age: log(1 + times since then), (b, t, c).
        seen: whether the channel was recorded at the time just before, (b, t, c).
    """

    last: torch.Tensor
    age: torch.Tensor
    seen: torch.Tensor

    def features(self) -> torch.Tensor:
        """Return (b, t, 3c)."""
        return torch.cat([self.last, self.age, self.seen], dim=-1)


def past_of(scores: torch.Tensor, seen: torch.Tensor) -> Past:
    """Return what lies before each time of whole series.

    Args:
        scores: (b, t, c), anything where not recorded.
        seen: 1 = recorded, (b, t, c).
    """
    b, t, c = scores.shape
    clock = torch.arange(t, device=scores.device).view(1, t, 1)
    when = torch.where(seen > 0, clock, -1).cummax(dim=1).values  # (b, t, c)
    carried = torch.gather(scores, 1, when.clamp(min=0)) * (when >= 0)
    start = torch.zeros(b, 1, c, device=scores.device)
    last = torch.cat([start, carried[:, :-1]], dim=1)
    when = torch.cat([start - 1, when[:, :-1]], dim=1)
    age = torch.log1p(clock - 1 - when)
    return Past(last, age, torch.cat([start, seen[:, :-1]], dim=1))


class RecurrentSeries(nn.Module):
    """p(what is recorded, and its score) at each time given the past and a context.

    Within one time, channels follow each other: first which of them are recorded, then the
    recorded scores as mixtures of Gaussians, each given those before it.

    Args:
        channels: c.
        times: t.
        context: width of the context vector.
        hidden: width of the recurrent state.
        parts: components of a mixture.
    """

    def __init__(self, channels: int, times: int, context: int, *, hidden: int, parts: int) -> None:
        super().__init__()
        self.channels, self.parts = channels, parts
        self.clock = nn.Embedding(times, _TIME_WIDTH)
        width = 3 * channels + _TIME_WIDTH + context
        self.gru = nn.GRU(width, hidden, batch_first=True)
        head = hidden // 2
        self.seen_head = ChannelHead(channels, hidden + width, channels, head, 1)
        self.score_head = ChannelHead(channels, hidden + width, 2 * channels, head, 3 * parts)

    def forward(
        self,
        scores: torch.Tensor,
        seen: torch.Tensor,
        context: torch.Tensor,
        keep: torch.Tensor | float = 1.0,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits of recording (b, t, c) and mixtures of scores (b, t, c, 3 parts).

        Args:
            scores: (b, t, c), 0 where not recorded.
            seen: 1 = recorded, (b, t, c).
            context: (b, k).
            keep: factors of dropout on the recurrent state, (b, 1, hidden). They are given,
                not drawn here, because `torch.nn.Dropout` uses the global random state.
        """
        past = past_of(scores, seen)
        inputs = self._inputs(past, context, torch.arange(scores.shape[1], device=scores.device))
        state = torch.cat([self.gru(inputs)[0] * keep, inputs], dim=-1)  # (b, t, hidden + width)
        return self.seen_logits(state, seen), self.mixtures(state, scores, seen, past.last)

    def _inputs(self, past: Past, context: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        b, t = past.last.shape[:2]
        clock = self.clock(times).expand(b, t, -1)
        return torch.cat([past.features(), clock, context[:, None].expand(b, t, -1)], dim=-1)

    def seen_logits(self, state: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """Return each channel's logit given the channels before it, (b, t, c)."""
        return self.seen_head(state, seen)[..., 0]

    def mixtures(
        self, state: torch.Tensor, scores: torch.Tensor, seen: torch.Tensor, last: torch.Tensor
    ) -> torch.Tensor:
        """Return each channel's mixture given the scores before it, (b, t, c, 3 parts)."""
        # What was recorded is known as a whole by now; only scores come one after the other.
        raw = self.score_head(state, torch.cat([scores * seen, seen], dim=-1))
        weight, centre, scale = raw.split(self.parts, dim=-1)
        return torch.cat([weight, centre + last[..., None], scale.clamp(min=_LEAST_SCALE)], dim=-1)

    def step(
        self, past: Past, context: torch.Tensor, time: int, memory: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the heads' state (b, 1, hidden + width) at one time, and the new memory."""
        inputs = self._inputs(past, context, torch.tensor([time], device=context.device))
        out, memory = self.gru(inputs, memory)
        return torch.cat([out, inputs], dim=-1), memory


class ChannelHead(nn.Module):
    """One small network per channel, each reading the state and earlier channels' entries.

    ``scores`` entries come in groups of c; of the last group of a two-group input (what was
    recorded) every entry may be read, of any other only those of earlier channels.
    """

    allowed: torch.Tensor

    def __init__(self, channels: int, state: int, entries: int, hidden: int, out: int) -> None:
        super().__init__()
        self.from_state = nn.Linear(state, channels * hidden)
        self.from_entries = nn.Parameter(torch.zeros(channels, entries, hidden))
        self.last = nn.Parameter(torch.randn(channels, hidden, out) * hidden**-0.5)
        self.bias = nn.Parameter(torch.zeros(channels, out))
        earlier = torch.tril(torch.ones(channels, channels), diagonal=-1)
        free = torch.ones(channels, entries - channels)
        self.register_buffer("allowed", torch.cat([earlier, free], dim=1)[..., None])
        self.hidden = hidden

    def forward(self, state: torch.Tensor, entries: torch.Tensor) -> torch.Tensor:
        """Return (b, t, c, out) from a state (b, t, s) and entries (b, t, e)."""
        b, t = entries.shape[:2]
        weights = self.from_entries * self.allowed  # (c, e, hidden)
        known = torch.einsum("bte,ceh->btch", entries, weights)
        h = F.silu(self.from_state(state).view(b, t, -1, self.hidden) + known)
        return torch.einsum("btch,cho->btco", h, self.last) + self.bias


def mixture_nll(mixtures: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Return the negative log density of scores (b, t, c) under mixtures (b, t, c, 3 parts)."""
    weight, centre, scale = mixtures.chunk(3, dim=-1)
    z = (scores[..., None] - centre) * torch.exp(-scale)
    density = F.log_softmax(weight, dim=-1) - 0.5 * z**2 - scale - 0.9189385
    return -torch.logsumexp(density, dim=-1)


def mixture_draw(mixtures: torch.Tensor, choice: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Return one score per mixture (..., 3 parts).

    Args:
        mixtures: see `RecurrentSeries`.
        choice: uniform in (0, 1), (...): picks the component.
        noise: standard normal, (...).
    """
    weight, centre, scale = mixtures.chunk(3, dim=-1)
    below = torch.cumsum(F.softmax(weight, dim=-1), dim=-1)
    part = (below < choice[..., None]).sum(dim=-1, keepdim=True).clamp(max=weight.shape[-1] - 1)
    picked = [torch.gather(v, -1, part)[..., 0] for v in (centre, scale)]
    return picked[0] + torch.exp(picked[1]) * noise
