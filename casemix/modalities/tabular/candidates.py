"""Rows chosen among candidates, in proportion to their weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from casemix.core import seeding

#: Draws the k-th candidates of the rows at some positions, (m,): rows (m, d), log-weights (m,).
Propose = Callable[[int, np.ndarray], tuple[np.ndarray, np.ndarray]]


def chosen(
    ids: Sequence[str], several: np.ndarray, candidates: int, propose: Propose, *, seed: int
) -> np.ndarray:
    """Return one row per id, (n, d), by sampling-importance resampling.

    Args:
        ids: sample ids, n; each row depends on its own id alone, if its candidates do.
        several: which rows have several candidates, bool (n,).
        candidates: how many those have.
        propose: see `Propose`.
        seed: seed of the choice.

    Reference:
        Rubin, The calculation of posterior distributions by data augmentation, comment,
        JASA 1987; 82:543.
    """
    u = seeding.uniform(seed, ids, candidates, stream="choice")
    # The largest of log-weights with Gumbel noise is a draw in proportion to the weights.
    gumbel = -np.log(-np.log(u))  # (n, candidates)
    rows, weights = propose(0, np.arange(len(ids)))
    highest, at = weights + gumbel[:, 0], np.flatnonzero(several)
    for k in range(1, candidates if len(at) else 1):
        others, weights = propose(k, at)
        scores = weights + gumbel[at, k]
        better = scores > highest[at]
        rows[at[better]], highest[at[better]] = others[better], scores[better]
    return rows


def late(known: np.ndarray) -> np.ndarray:
    """Return which rows have a known cell after an unknown one, bool (n,).

    Args:
        known: (n, d), columns in the order in which they are drawn.
    """
    found: np.ndarray = (known[:, 1:] & ~known[:, :-1]).any(axis=1)
    return found
