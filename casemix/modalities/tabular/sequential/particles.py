"""Draw from the joint model with any cells fixed, by particles and without rejection.

A chain draws each column given those before it. A fixed cell that comes after a drawn one must
also speak to the drawn one: each row then has several candidates (particles), each weighted by
the likelihood of the row's fixed cells and resampled at each of them (sequential importance
resampling: Gordon, Salmond and Smith, IEE Proceedings F 1993; 140:107).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from casemix.core import seeding
from casemix.modalities.tabular.sequential.joint import JointModel, Link

_CANDIDATES = 32  # particles of a row that needs them
_NUMBERS_AT_ONCE = 8_000_000  # random numbers held in memory
_PER_CELL = 3  # which tree, which member, which noise


def draw(model: JointModel, fixed: np.ndarray, ids: Sequence[str], seed: int) -> np.ndarray:
    """Return cells (n, d): the fixed ones as they are, the others drawn.

    Args:
        model: a fitted joint model.
        fixed: cells (n, d), NaN = to be drawn.
        ids: sample ids, n; each row depends on its own id alone.
        seed: seed of the draws.
    """
    cells = np.array(fixed, dtype=np.float64)
    last = _last_constraint(fixed)
    for candidates, these in ((1, last < 0), (_CANDIDATES, last >= 0)):
        most = max(1, _NUMBERS_AT_ONCE // (fixed.shape[1] * _PER_CELL * candidates))
        for part in np.split(np.flatnonzero(these), np.arange(most, np.sum(these), most)):
            of_part = _Draw(model, fixed[part], [ids[i] for i in part], seed, candidates)
            cells[part] = of_part.run(last[part])
    return cells


def _last_constraint(fixed: np.ndarray) -> np.ndarray:
    """Return the last fixed cell that comes after a drawn one, -1 where there is none, (n,)."""
    known = ~np.isnan(fixed)
    late = known & (np.cumsum(~known, axis=1) > 0)
    reverse = np.argmax(late[:, ::-1], axis=1)
    return np.where(late.any(axis=1), fixed.shape[1] - 1 - reverse, -1)


class _Draw:
    """The state of one batch of rows: ``k`` candidates per row, kept side by side."""

    def __init__(
        self, model: JointModel, fixed: np.ndarray, ids: Sequence[str], seed: int, k: int
    ) -> None:
        self.model, self.fixed, self.k = model, fixed, k
        n, d = fixed.shape
        self.features = np.zeros((n * k, model.width), dtype=np.float32)
        self.cells = np.full((n * k, d), np.nan)
        self.noise = seeding.uniform(seed, ids, d * k * _PER_CELL, stream="cells").reshape(
            n, d, k, _PER_CELL
        )
        self.pick = seeding.uniform(seed, ids, d, stream="candidates")  # (n, d)

    def run(self, last: np.ndarray) -> np.ndarray:
        """Return the drawn cells, (n, d)."""
        for j, link in enumerate(self.model.links):
            if self.k > 1 and j > last.max(initial=-1):
                self._keep_one()
            self._column(j, link, last)
        return self.cells[:: self.k]

    def _keep_one(self) -> None:
        """Go on with one candidate per row: nothing fixed is left to weigh them by."""
        self.features = self.features[:: self.k]
        self.cells = self.cells[:: self.k]
        self.noise = self.noise[:, :, :1]
        self.k = 1

    def _column(self, j: int, link: Link, last: np.ndarray) -> None:
        known = ~np.isnan(self.fixed[:, j])
        u = self.noise[:, j].reshape(-1, _PER_CELL)  # (n k, 3)
        linear = link.linear.predict(self.features[:, : link.first])
        self.features[:, link.score_at : link.score_at + link.linear.size] = linear
        leaves = link.forest.leaves(self.features, u[:, 0])
        states, scores = link.forest.draw(leaves, u[:, 1], ndtri(u[:, 2]))
        drawn = link.column.decode(states, scores + linear[:, 0] if link.additive else scores)
        asked = np.repeat(self.fixed[:, j], self.k)
        self.cells[:, j] = np.where(np.repeat(known, self.k), asked, drawn)
        rows = np.flatnonzero(known & (last >= j))
        if self.k > 1 and len(rows):
            self._resample(j, link, rows, final=last[rows] == j)
        self.features[:, link.first : link.first + link.coding.width] = link.coding.features(
            link.column, self.cells[:, j]
        )

    def _resample(self, j: int, link: Link, rows: np.ndarray, final: np.ndarray) -> None:
        """Keep candidates in proportion to the likelihood of these rows' fixed cell.

        At a row's last fixed cell all its places go to one candidate, drawn by weight.
        """
        at = (rows[:, None] * self.k + np.arange(self.k)).ravel()
        states, scores = link.column.encode(self.cells[at, j])
        if link.additive:
            scores = scores - self.features[at, link.score_at]
        log = link.forest.mean_log_likelihood(self.features[at], states, scores).reshape(-1, self.k)
        weight = np.exp(log - log.max(axis=1, keepdims=True))
        ladder = np.cumsum(weight, axis=1)
        ladder /= ladder[:, -1:]
        u = self.pick[rows, j, None]  # (rows, 1)
        systematic = (np.arange(self.k) + u) / self.k
        steps = np.where(final[:, None], u, systematic)
        chosen = (ladder[:, None, :] < steps[:, :, None]).sum(axis=2)  # (rows, k)
        source = (rows[:, None] * self.k + chosen).ravel()
        self.cells[at] = self.cells[source]
        self.features[at] = self.features[source]
