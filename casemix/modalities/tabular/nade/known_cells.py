"""The training loss: cells given those before them and any that are known from the start."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from casemix.modalities.tabular.nade.network import Nade


@dataclass(frozen=True)
class KnownCells:
    """Mean negative log-likelihood of the cells that are not known from the start, in nats.

    Args:
        tokens: training rows, int64 (n, d).
        whole: share of rows of which nothing is known from the start. Of the others any cells
            are, few more often than many, so that rows can be drawn given any cells.
        net: says what rows do without.
    """

    tokens: torch.Tensor
    whole: float
    net: Nade

    def __call__(
        self, model: nn.Module, positions: torch.Tensor, noise: torch.Generator
    ) -> torch.Tensor:
        """Return the loss of a batch (see `casemix.core.training.train`)."""
        where = positions.device
        tokens = self.tokens[positions.cpu()]
        known = self.known(len(tokens), noise)
        thinned = torch.rand((len(tokens), sum(self.net.widths)), generator=noise)
        keep = self.net.kept(thinned.to(where))
        found = model(tokens.to(where), known.to(where), keep)
        return found.sum() / (~known).sum().clamp(min=1).to(where)

    def known(self, n: int, noise: torch.Generator) -> torch.Tensor:
        """Return which cells of n rows are known from the start, bool (n, d)."""
        kind, rate = torch.rand((2, n, 1), generator=noise)
        cells = torch.rand((n, self.tokens.shape[1]), generator=noise)
        return (cells < rate**2) & (kind >= self.whole)
