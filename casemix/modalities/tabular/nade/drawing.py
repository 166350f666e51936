"""Drawing rows by ensembles in turn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from casemix.core import seeding
from casemix.core.progress import Step
from casemix.core.training import device
from casemix.modalities.tabular.candidates import Draws, late
from casemix.modalities.tabular.nade.ensemble import Ensemble


def needs_several(ensembles: Sequence[Ensemble], known: torch.Tensor) -> np.ndarray:
    """Return which rows have a cell known before its turn in some order, bool (n,).

    Args:
        ensembles: have the orders.
        known: bool (n, d).
    """
    return np.any([late(known[:, e.order].numpy()) for e in ensembles], axis=0)


def drawn(
    ensembles: Sequence[Ensemble],
    tokens: torch.Tensor,
    known: torch.Tensor,
    draws: Draws,
    bar: Step,
) -> np.ndarray:
    """Return tokens int64 (n, d); candidates weigh as much as they are likely as whole rows.

    Args:
        ensembles: take turns.
        tokens: (n, d), anything where not known.
        known: bool (n, d).
        draws: how rows are drawn.
        bar: is advanced by the rows.
    """
    where, cells = device(), tokens.shape[1]
    nets = [net.to(where) for ensemble in ensembles for net in ensemble.nets]

    def propose(k: int, turn: int, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ensemble, ids = ensembles[turn], [draws.ids[i] for i in at]
        u = seeding.uniform(draws.seed, ids, cells + ensemble.width, stream=f"candidate {k}")
        uniform, thinned = torch.from_numpy(u).to(where).split([cells, ensemble.width], dim=1)
        start, keeps = (tokens[at].to(where), known[at].to(where)), ensemble.kept(thinned)
        rows = ensemble.draw(*start, uniform, keeps)
        weights = ensemble.ahead(rows, start[1], keeps)
        return rows.cpu().numpy(), weights.cpu().numpy()

    into = np.empty(tuple(tokens.shape), dtype=np.int64)
    found = draws.rows(into, propose, bar, turns=len(ensembles))
    for net in nets:
        net.to("cpu")
    return found
