"""Drawing rows; of those with cells known before their turn, several, one of which is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from casemix.core import seeding
from casemix.core.batches import fixed_batches
from casemix.core.progress import Step
from casemix.core.training import device
from casemix.modalities.tabular.nade.ensemble import Ensemble


@dataclass(frozen=True)
class Drawing:
    """How rows are drawn.

    Args:
        ensembles: take turns.
        candidates: rows drawn for each row that has a cell known after unknown ones; one of them
            is chosen, in proportion to how likely it is as a whole row (sampling-importance
            resampling).
        batch: rows drawn at a time; part of what makes a row bit-identical.
        seed: seed of the draws.
    """

    ensembles: Sequence[Ensemble]
    candidates: int
    batch: int
    seed: int

    def rows(
        self, tokens: torch.Tensor, known: torch.Tensor, ids: Sequence[str], bar: Step
    ) -> np.ndarray:
        """Return tokens int64 (n, d), each row from its id alone.

        Args:
            tokens: (n, d), anything where not known.
            known: bool (n, d).
            ids: sample ids, n.
            bar: is advanced by the rows.
        """
        where, n = device(), len(ids)
        turn = seeding.uniform(self.seed, ids, 1, stream="turn")[:, 0] * len(self.ensembles)
        u = seeding.uniform(self.seed, ids, self.candidates, stream="choice")
        several = np.any([e.late(known).numpy() for e in self.ensembles], axis=0)
        last = np.where(several, self.candidates - 1, 0)
        drawn, highest = np.empty(tuple(tokens.shape), dtype=np.int64), np.full(n, -np.inf)
        nets = [net.to(where) for ensemble in self.ensembles for net in ensemble.nets]
        for k in range(self.candidates):
            turns = (turn.astype(int) + k) % len(self.ensembles)
            for m, ensemble in enumerate(self.ensembles):
                mine = np.flatnonzero((turns == m) & (k <= last))
                for batch, used in fixed_batches(len(mine), self.batch):
                    at = mine[batch]
                    start = tokens[at].to(where), known[at].to(where)
                    rows, weights = self._candidates(k, ensemble, *start, [ids[i] for i in at])
                    # The largest of log-weights with Gumbel noise is a draw in proportion to the
                    # weights.
                    score = weights - np.log(-np.log(u[at, k]))
                    better = np.flatnonzero(score[:used] > highest[at[:used]])
                    drawn[at[better]], highest[at[better]] = rows[better], score[better]
                    bar.advance(int((last[at[:used]] == k).sum()))
        for net in nets:
            net.to("cpu")
        return drawn

    def _candidates(
        self,
        k: int,
        ensemble: Ensemble,
        tokens: torch.Tensor,
        known: torch.Tensor,
        ids: Sequence[str],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k-th candidates, (b, d), and their log-weights, (b,)."""
        cells = tokens.shape[1]
        u = seeding.uniform(self.seed, ids, cells + ensemble.width, stream=f"candidate {k}")
        uniform, thinned = (
            torch.from_numpy(u).to(tokens.device).split([cells, ensemble.width], dim=1)
        )
        keeps = ensemble.kept(thinned)
        rows = ensemble.draw(tokens, known, uniform, keeps)
        return rows.cpu().numpy(), ensemble.ahead(rows, known, keeps).cpu().numpy()
