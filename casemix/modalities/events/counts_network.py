"""A feed-forward network that reads counts of what came before instead of attending to it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from casemix.modalities.events.event_network import EventNetwork, time_features
from casemix.modalities.events.tokens import Tokeniser


class CountsNetwork(EventNetwork):
    """Next token from: the last two, counts at this time, at the time before and ever, context.

    Args:
        tokeniser: tokens of the histories.
        features: width of the encoded context.
        width: hidden units.
        dropout: share of the hidden units that training leaves out.
    """

    def __init__(self, tokeniser: Tokeniser, features: int, width: int, dropout: float) -> None:
        super().__init__(tokeniser, dropout)
        self.tokens = len(tokeniser)
        self.opening = (tokeniser.first_at, tokeniser.code_at)
        self.hidden = nn.Linear(5 * self.tokens + features + 2, width)
        self.out = nn.Linear(width, self.tokens)
        nn.init.normal_(self.out.weight, std=0.02)
        nn.init.zeros_(self.out.bias)

    def reader(self, features: torch.Tensor) -> CountsReader:
        """See `EventNetwork.reader`."""
        return CountsReader(self, features)

    def of(self, seen: torch.Tensor) -> torch.Tensor:
        """Return the tokens' scores, (..., v), from what was seen, (..., r)."""
        units = F.dropout(F.gelu(self.hidden(seen)), self.dropout, self.training)
        scores: torch.Tensor = self.out(units)
        return scores

    def opens(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return which tokens open a time."""
        return (tokens >= self.opening[0]) & (tokens < self.opening[1])

    def scores(
        self, read: torch.Tensor, hours: torch.Tensor, features: torch.Tensor
    ) -> torch.Tensor:
        """See `EventNetwork.scores`."""
        marks = F.one_hot(read, self.tokens).float()  # (b, t, v)
        ever = marks.cumsum(dim=1)
        before = ever - marks  # what stood before each token
        opens = self.opens(read)[..., None]
        now = ever - _held(torch.where(opens, before, -1.0))
        earlier = torch.where(opens, _last_time(before, opens), -1.0)
        then = _held(torch.where(opens, before, -1.0)) - _held(earlier)
        last = F.pad(marks[:, :-1], (0, 0, 1, 0))
        context = features[:, None].expand(-1, read.shape[1], -1)
        parts = [marks, last, now, then, ever.log1p(), context, time_features(hours)]
        return self.of(torch.cat(parts, dim=-1))


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
        scores = self._network.of(torch.cat([*parts, time_features(hours)], dim=-1))
        return self._network.order.chained(scores)


def _held(values: torch.Tensor) -> torch.Tensor:
    """Return the last known value, 0 before any, (b, t, v); known values rise, -1 is unknown."""
    return values.cummax(dim=1).values.clamp(min=0)


def _last_time(before: torch.Tensor, opens: torch.Tensor) -> torch.Tensor:
    """Return what stood before the time before, where a time opens, (b, t, v)."""
    starts = _held(torch.where(opens, before, -1.0))
    return F.pad(starts[:, :-1], (0, 0, 1, 0))
