"""Networks that know other subjects, averaged cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from casemix.modalities.tabular.candidates import late
from casemix.modalities.tabular.nade.network import Keep, Nade, Walk


@dataclass(frozen=True)
class Ensemble:
    """Networks of one order; a cell has the mean of their probabilities.

    What one of several networks has learnt of a subject that the others do not know counts for
    little in the mean.

    Args:
        nets: one or several.

    Reference:
        Breiman, Bagging predictors, Machine Learning 1996; 24:123.
    """

    nets: Sequence[Nade]

    @property
    def order(self) -> torch.Tensor:
        """The columns in the order in which they are drawn, (d,)."""
        return self.nets[0].order

    @property
    def width(self) -> int:
        """How many uniform numbers `kept` takes per row."""
        return sum(sum(net.widths) for net in self.nets)

    def kept(self, uniform: torch.Tensor) -> list[Keep]:
        """Return what rows do without, per network; ``uniform``: in (0, 1), (b, width)."""
        parts = uniform.split([sum(net.widths) for net in self.nets], dim=1)
        return [net.kept(part) for net, part in zip(self.nets, parts, strict=True)]

    @torch.inference_mode()
    def draw(
        self,
        tokens: torch.Tensor,
        known: torch.Tensor,
        uniform: torch.Tensor,
        keeps: Sequence[Keep],
    ) -> torch.Tensor:
        """Return rows (b, d): known cells as they are, the others drawn column after column.

        Args:
            tokens: (b, d), anything where not known.
            known: bool (b, d).
            uniform: one number in (0, 1) per cell, (b, d).
            keeps: what the rows do without, per network.
        """
        tokens, known, uniform = (x[:, self.order] for x in (tokens, known, uniform))
        members = zip(self.nets, keeps, strict=True)
        walks = [Walk(net, tokens, known, keep) for net, keep in members]
        drawn = tokens.clone()
        for j in range(tokens.shape[1]):
            shares = torch.stack([walk.shares(j, drawn) for walk in walks]).mean(dim=0)
            drawn[:, j] = torch.where(known[:, j], tokens[:, j], _pick(shares, uniform[:, j]))
            for walk in walks:
                walk.take(j, drawn[:, j])
        return drawn[:, self.nets[0].place_in_order]

    @torch.inference_mode()
    def ahead(
        self, tokens: torch.Tensor, known: torch.Tensor, keeps: Sequence[Keep]
    ) -> torch.Tensor:
        """Return how much likelier rows are as whole rows than as drawn around what is known.

        Cells that are known before their turn change what a network says of those drawn earlier,
        which it learns less well than rows as a whole. With this as the log of its weight, a row
        counts as one of the rows drawn as a whole that happen to have the known cells.

        Args:
            tokens: whole rows, (b, d).
            known: bool (b, d).
            keeps: what the rows do without, per network.

        Returns:
            Log-probabilities less those of the draw, float (b,); 0 where the known cells come
            first in the order.
        """
        some = late(known[:, self.order].cpu().numpy())
        if not some.any():
            return torch.zeros(len(tokens), device=tokens.device)
        whole = self.log_probability(tokens, torch.zeros_like(known), keeps)
        found = whole - self.log_probability(tokens, known, keeps)
        return found * torch.from_numpy(some).to(found.device)

    def log_probability(
        self, tokens: torch.Tensor, known: torch.Tensor, keeps: Sequence[Keep]
    ) -> torch.Tensor:
        """Return that of the cells (b, d) that are not known, given those that are, (b,)."""
        members = zip(self.nets, keeps, strict=True)
        cells = torch.stack([-net(tokens, known, keep) for net, keep in members])
        return (cells.logsumexp(dim=0) - np.log(len(self.nets))).sum(dim=1)


def _pick(shares: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Return one token per row, (b,), by inversion of its distribution function."""
    upper = shares.cumsum(dim=1)  # (b, size)
    drawn = (upper < (uniform * upper[:, -1])[:, None]).sum(dim=1)
    return drawn.clamp(max=shares.shape[1] - 1)
