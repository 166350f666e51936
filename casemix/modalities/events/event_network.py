"""What networks of event tokens share: likelihood of histories, reading token by token."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import nn

from casemix.modalities.events.batches import IGNORED
from casemix.modalities.events.decode import Reader
from casemix.modalities.events.telling_order import TellingOrder
from casemix.modalities.events.tokens import BEGIN, Tokeniser

_YEAR = 8766.0  # hours


class EventNetwork(nn.Module, ABC):
    """Scores the next token of a history; `TellingOrder` makes chances of the scores.

    Args:
        tokeniser: tokens of the histories.
        dropout: share of the hidden units that training leaves out.
    """

    def __init__(self, tokeniser: Tokeniser, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.order = TellingOrder(tokeniser)

    @abstractmethod
    def scores(
        self, read: torch.Tensor, hours: torch.Tensor, features: torch.Tensor
    ) -> torch.Tensor:
        """Return the scores after each token, (b, t, v).

        Args:
            read: tokens, the first of which is `BEGIN`, (b, t).
            hours: their times, (b, t).
            features: context, (b, d).
        """

    @abstractmethod
    def reader(self, features: torch.Tensor) -> Reader:
        """Return what reads a batch of histories token by token; features (b, d)."""

    def logits(
        self, tokens: torch.Tensor, hours: torch.Tensor, features: torch.Tensor
    ) -> torch.Tensor:
        """Return the masked logits of each of these tokens, (b, t, v); see `forward`."""
        begin = torch.full_like(tokens[:, :1], BEGIN)
        read = torch.cat([begin, tokens[:, :-1].clamp(min=0)], dim=1)
        scores = self.scores(read, F.pad(hours[:, :-1], (1, 0)), features)
        masked: torch.Tensor = self.order(scores.float(), read)
        return masked

    def forward(
        self, tokens: torch.Tensor, hours: torch.Tensor, features: torch.Tensor
    ) -> torch.Tensor:
        """Return the summed negative log-likelihood of each history's tokens, (b,).

        Args:
            tokens: (b, t), `IGNORED` after the end of a history.
            hours: (b, t).
            features: context, (b, d).
        """
        logits = self.logits(tokens, hours, features)
        each = F.cross_entropy(
            logits.flatten(0, 1), tokens.flatten(), ignore_index=IGNORED, reduction="none"
        )
        return each.unflatten(0, tokens.shape).sum(dim=1)


def time_features(hours: torch.Tensor) -> torch.Tensor:
    """Return years and the log of hours, both of size one, (..., 2)."""
    years = hours / _YEAR
    logs = torch.sign(hours) * torch.log1p(hours.abs())
    return torch.stack([years.clamp(-20, 20) / 5, logs / 8], dim=-1)
