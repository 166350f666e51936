"""The training loss: random cells of a row hidden, and found again from those left."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import nn

from casemix.modalities.tabular.masked.tokens import MASKED


@dataclass(frozen=True)
class MaskedLoss:
    """Cross-entropy of hidden cells, averaged over each row's hidden cells, then over rows.

    The number of hidden cells is uniform on 1 ... d. That makes the loss, d times it to be exact,
    a bound of the negative log-likelihood: the continuous-time bound of masked diffusion with a
    linear schedule (Sahoo et al. 2024), or equally the mean over all orders of the autoregressive
    likelihood (Hoogeboom et al. 2022).

    Args:
        tokens: training rows, int64 (n, d).
        places: the same, float32 (n, d).
        conditional: how many columns, the first ones, are conditions only; half of the rows show
            all of them.
        rank: the place of each column in the order of sampling, (d,).
        ordered: share of rows in which the cells hidden are the last ones of that order.
        dropout: share of the network's units that each row does without.
        widths: how many units there are in each place where some are dropped.
    """

    tokens: torch.Tensor
    places: torch.Tensor
    conditional: int
    rank: torch.Tensor
    ordered: float
    dropout: float = 0.0
    widths: tuple[int, ...] = ()

    def __call__(
        self, model: nn.Module, positions: torch.Tensor, noise: torch.Generator
    ) -> torch.Tensor:
        """Return the loss of a batch; see `core.training.Loss`."""
        where, rows = positions.device, positions.cpu()
        tokens, places = self.tokens[rows], self.places[rows]
        hidden = self.hidden(len(rows), noise)  # (b, d)
        column, row = hidden.T.nonzero(as_tuple=True)  # column after column
        cells = torch.bincount(column, minlength=hidden.shape[1]).tolist()
        found = model(
            tokens.masked_fill(hidden, MASKED).to(where),
            places.masked_fill(hidden, 0.0).to(where),
            row.to(where),
            tokens[row, column].to(where),
            cells,
            [self._keep(len(rows), width, noise).to(where) for width in self.widths],
        )
        weight = 1.0 / (hidden.sum(dim=1)[row] * len(rows))
        return (found * weight.to(where)).sum()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.tokens)

    def of(self, rows: np.ndarray) -> Self:
        """Return the loss of some rows, bool (n,)."""
        kept = torch.from_numpy(rows)
        return replace(self, tokens=self.tokens[kept], places=self.places[kept])

    def hidden(self, n: int, noise: torch.Generator) -> torch.Tensor:
        """Return which cells of n rows to hide, bool (n, d); one per row at least."""
        d = len(self.rank)
        keys = torch.rand((n, d), generator=noise)
        kind = torch.rand((n, 2), generator=noise)
        shown = (kind[:, :1] < 0.5) & (torch.arange(d) < self.conditional)
        keys = torch.where(kind[:, 1:] < self.ordered, self.rank[None, :] / d, keys)
        most = d - shown.sum(dim=1)
        # Evenly spread over the batch: less noise than independent draws.
        level = (torch.arange(n) + torch.rand(1, generator=noise)) / n
        count = 1 + (level * most).long().clamp(max=most - 1)
        place = keys.masked_fill(shown, -1.0).argsort(dim=1).argsort(dim=1)
        return place >= (d - count)[:, None]

    def _keep(self, n: int, width: int, noise: torch.Generator) -> torch.Tensor:
        """Return factors of dropout whose mean is 1, (n, width)."""
        kept = torch.rand((n, width), generator=noise) >= self.dropout
        return kept.float() / (1.0 - self.dropout)
