"""A feed-forward network that reads counts of what came before instead of attending to it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from casemix.modalities.events.batches import IGNORED
from casemix.modalities.events.network import time_features
from casemix.modalities.events.tokens import BEGIN


class CountsNetwork(nn.Module):
    """Next token from: the last two, counts at this time, at the time before and ever, context.

    Args:
        tokens: size of the vocabulary.
        features: width of the encoded context.
        opening: tokens that open a time: first <= token < second.
        width: hidden units.
    """

    def __init__(self, tokens: int, features: int, opening: tuple[int, int], width: int) -> None:
        super().__init__()
        self.tokens, self.opening = tokens, opening
        read = 5 * tokens + features + 2
        self.direct = nn.Linear(read, tokens)
        self.hidden = nn.Linear(read, width)
        self.out = nn.Linear(width, tokens)
        nn.init.zeros_(self.direct.weight)
        nn.init.zeros_(self.out.weight)

    def reader(self, features: torch.Tensor) -> CountsReader:
        """Return what reads a batch of histories token by token; features (b, d)."""
        return CountsReader(self, features)

    def logits(self, seen: torch.Tensor) -> torch.Tensor:
        """Return the next tokens' logits, (..., v), from what was seen, (..., r)."""
        scores: torch.Tensor = self.direct(seen) + self.out(F.gelu(self.hidden(seen)))
        return scores

    def opens(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return which tokens open a time."""
        return (tokens >= self.opening[0]) & (tokens < self.opening[1])

    def forward(
        self, tokens: torch.Tensor, hours: torch.Tensor, features: torch.Tensor
    ) -> torch.Tensor:
        """Return the summed negative log-likelihood of each history's tokens, (b,).

        Args:
            tokens: (b, t), `IGNORED` after the end of a history.
            hours: (b, t).
            features: context, (b, d).
        """
        begin = torch.full_like(tokens[:, :1], BEGIN)
        read = torch.cat([begin, tokens[:, :-1].clamp(min=0)], dim=1)
        when = F.pad(hours[:, :-1], (1, 0))
        marks = F.one_hot(read, self.tokens).float()  # (b, t, v)
        ever = marks.cumsum(dim=1)
        before = ever - marks  # what stood before each token
        opens = self.opens(read)[..., None]
        now = ever - _held(torch.where(opens, before, -1.0))
        earlier = torch.where(opens, _last_time(before, opens), -1.0)
        then = _held(torch.where(opens, before, -1.0)) - _held(earlier)
        last = F.pad(marks[:, :-1], (0, 0, 1, 0))
        context = features[:, None].expand(-1, read.shape[1], -1)
        seen = torch.cat([marks, last, now, then, ever.log1p(), context, time_features(when)], -1)
        each = F.cross_entropy(
            self.logits(seen).flatten(0, 1),
            tokens.flatten(),
            ignore_index=IGNORED,
            reduction="none",
        )
        return each.unflatten(0, tokens.shape).sum(dim=1)


class CountsReader:
    """Keeps the counts of a batch of histories while they are read."""

    def __init__(self, network: CountsNetwork, features: torch.Tensor) -> None:
        self._network, self._features = network, features
        self._marks, self._ever, self._now, self._then = torch.zeros(
            4, len(features), network.tokens, device=features.device
        )

    def read(self, tokens: torch.Tensor, hours: torch.Tensor) -> torch.Tensor:
        """Return the next tokens' logits, (b, v), after one more token each, (b,)."""
        last, self._marks = self._marks, F.one_hot(tokens, self._network.tokens).float()
        opens = self._network.opens(tokens)[:, None]
        self._then = torch.where(opens, self._now, self._then)
        self._now = torch.where(opens, 0.0, self._now) + self._marks
        self._ever = self._ever + self._marks
        parts = [self._marks, last, self._now, self._then, self._ever.log1p(), self._features]
        return self._network.logits(torch.cat([*parts, time_features(hours)], dim=-1))


def _held(values: torch.Tensor) -> torch.Tensor:
    """Return the last known value, 0 before any, (b, t, v); known values rise, -1 is unknown."""
    return values.cummax(dim=1).values.clamp(min=0)


def _last_time(before: torch.Tensor, opens: torch.Tensor) -> torch.Tensor:
    """Return what stood before the time before, where a time opens, (b, t, v)."""
    starts = _held(torch.where(opens, before, -1.0))
    return F.pad(starts[:, :-1], (0, 0, 1, 0))
