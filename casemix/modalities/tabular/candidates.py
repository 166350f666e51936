"""Rows drawn in batches; where it is asked for, each is one of several candidates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from casemix.core import seeding
from casemix.core.batches import fixed_batches
from casemix.core.progress import Step

#: Draws the k-th candidates of the rows at some positions, (b,), in some turn: rows (b, d), and
#: log-weights, (b,). Positions after those of a last batch are repeated ones.
Propose = Callable[[int, int, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Draws:
    """How rows are drawn.

    Args:
        ids: sample ids, n; a row depends on its own id alone, if its candidates do.
        several: which rows have several candidates, bool (n,). One is chosen in proportion to
            their weights (sampling-importance resampling).
        candidates: how many those have.
        batch: rows drawn at a time; part of what makes a row bit-identical.
        seed: seed of turns and choices.

    Reference:
        Rubin, The calculation of posterior distributions by data augmentation, comment,
        JASA 1987; 82:543.
    """

    ids: Sequence[str]
    several: np.ndarray
    candidates: int
    batch: int
    seed: int

    def rows(self, into: np.ndarray, propose: Propose, bar: Step, *, turns: int = 1) -> np.ndarray:
        """Return the rows.

        Args:
            into: is filled with them, (n, d).
            propose: see `Propose`.
            bar: is advanced by the rows.
            turns: kinds of candidates that a row has in turn, from a random one on.
        """
        turn = seeding.uniform(self.seed, self.ids, 1, stream="turn")[:, 0] * turns
        u = seeding.uniform(self.seed, self.ids, self.candidates, stream="choice")
        # The largest of log-weights with Gumbel noise is a draw in proportion to the weights.
        gumbel = -np.log(-np.log(u))
        last = np.where(self.several, self.candidates - 1, 0)
        highest = np.full(len(into), -np.inf)
        for k in range(self.candidates):
            for t in range(turns):
                mine = np.flatnonzero((k <= last) & ((turn.astype(int) + k) % turns == t))
                for batch, used in fixed_batches(len(mine), self.batch):
                    rows, weights = propose(k, t, mine[batch])
                    at = mine[batch[:used]]
                    score = weights[:used] + gumbel[at, k]
                    better = score > highest[at]
                    into[at[better]] = rows[:used][better]
                    highest[at[better]] = score[better]
                    bar.advance(int((last[at] == k).sum()))
        return into


def late(known: np.ndarray) -> np.ndarray:
    """Return which rows have a known cell after an unknown one, bool (n,).

    Args:
        known: (n, d), columns in the order in which they are drawn.
    """
    found: np.ndarray = (known[:, 1:] & ~known[:, :-1]).any(axis=1)
    return found
