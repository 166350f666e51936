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
from casemix.modalities.tabular.candidates import chosen, late
from casemix.modalities.tabular.nade.ensemble import Ensemble


@dataclass(frozen=True)
class Drawing:
    """How rows are drawn.

    Args:
        ensembles: take turns.
        candidates: rows drawn for each row that has a cell known after unknown ones; one of them
            is chosen, in proportion to how likely it is as a whole row.
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
        turn = seeding.uniform(self.seed, ids, 1, stream="turn")[:, 0] * len(self.ensembles)
        several = np.any([late(known[:, e.order].numpy()) for e in self.ensembles], axis=0)
        last = np.where(several, self.candidates - 1, 0)
        nets = [net.to(device()) for ensemble in self.ensembles for net in ensemble.nets]

        def propose(k: int, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            rows, weights = np.empty((len(at), tokens.shape[1]), np.int64), np.empty(len(at))
            turns = (turn[at].astype(int) + k) % len(self.ensembles)
            for m, ensemble in enumerate(self.ensembles):
                mine = np.flatnonzero(turns == m)
                for batch, used in fixed_batches(len(mine), self.batch):
                    here = at[mine[batch]]
                    start = tokens[here], known[here]
                    found = self._candidates(k, ensemble, *start, [ids[i] for i in here])
                    rows[mine[batch[:used]]], weights[mine[batch[:used]]] = (
                        part[:used] for part in found
                    )
                    bar.advance(int((last[here[:used]] == k).sum()))
            return rows, weights

        drawn = chosen(ids, several, self.candidates, propose, seed=self.seed)
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
        where, cells = device(), tokens.shape[1]
        u = seeding.uniform(self.seed, ids, cells + ensemble.width, stream=f"candidate {k}")
        uniform, thinned = torch.from_numpy(u).to(where).split([cells, ensemble.width], dim=1)
        tokens, known, keeps = tokens.to(where), known.to(where), ensemble.kept(thinned)
        rows = ensemble.draw(tokens, known, uniform, keeps)
        return rows.cpu().numpy(), ensemble.ahead(rows, known, keeps).cpu().numpy()
