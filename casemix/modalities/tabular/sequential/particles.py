"""Draw from the joint model with any cells fixed, by particles and without rejection.

A chain draws each column given those before it. A fixed cell that comes after a drawn one must
also speak to the drawn one: each row then has several candidates (particles), each weighted by
the likelihood of the row's fixed cells and resampled at each of them (sequential importance
resampling: Gordon, Salmond and Smith, IEE Proceedings F 1993; 140:107).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from casemix.core import seeding
from casemix.modalities.tabular.sequential.joint import JointModel, Link

_CANDIDATES = 64  # particles of a row that needs them
_MORE_CANDIDATES = 128  # up to its last fixed cell that has many states
_MANY_STATES = 16
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
    many = np.array([link.column.states > _MANY_STATES for link in model.links])
    last = _last_constraint(fixed, np.ones_like(many))
    hard = _last_constraint(fixed, many)
    for these, plan in _plans(last, hard):
        most = max(1, _NUMBERS_AT_ONCE // (fixed.shape[1] * _PER_CELL * plan.at(0)))
        for part in np.split(these, np.arange(most, len(these), most)):
            of_part = _Draw(model, fixed[part], [ids[i] for i in part], seed, plan)
            cells[part] = of_part.run(last[part])
    return cells


class _Plan(NamedTuple):
    """How many candidates a row has.

    Args:
        hard: the last fixed cell of many states that comes after a drawn one, or -1.
        later: candidates after it.
    """

    hard: int
    later: int

    def at(self, j: int) -> int:
        """Return how many there are at column ``j``."""
        return _MORE_CANDIDATES if j <= self.hard else self.later


def _plans(last: np.ndarray, hard: np.ndarray) -> Iterator[tuple[np.ndarray, _Plan]]:
    """Yield rows, (m,), and their plan; a row's own plan whatever other rows there are."""
    yield np.flatnonzero(last < 0), _Plan(-1, 1)
    for j in np.unique(hard[last >= 0]):
        yield np.flatnonzero((last >= 0) & (hard == j)), _Plan(int(j), _CANDIDATES)


def _last_constraint(fixed: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the last fixed cell that comes after a drawn one, -1 where there is none, (n,).

    Args:
        fixed: (n, d).
        columns: which to look at, bool (d,).
    """
    known = ~np.isnan(fixed)
    late = known & (np.cumsum(~known, axis=1) > 0) & columns
    reverse = np.argmax(late[:, ::-1], axis=1)
    return np.where(late.any(axis=1), fixed.shape[1] - 1 - reverse, -1)


class _Draw:
    """The state of one batch of rows: ``k`` candidates per row, kept side by side."""

    def __init__(
        self, model: JointModel, fixed: np.ndarray, ids: Sequence[str], seed: int, plan: _Plan
    ) -> None:
        self.model, self.fixed, self.plan, self.k = model, fixed, plan, plan.at(0)
        n, d = fixed.shape
        # Read column by column.
        self.features = np.zeros((n * self.k, model.width), dtype=np.float32, order="F")
        self.cells = np.full((n * self.k, d), np.nan)
        early = plan.hard + 1
        self.noise = [
            *_noise(seed, ids, early, self.k, "hard cells"),
            *_noise(seed, ids, d, plan.later, "cells")[early:],
        ]
        self.pick = seeding.uniform(seed, ids, d, stream="candidates")  # (n, d)

    def run(self, last: np.ndarray) -> np.ndarray:
        """Return the drawn cells, (n, d)."""
        for j, link in enumerate(self.model.links):
            # Nothing fixed is left to weigh the others by after the last such cell.
            self._keep(1 if j > last.max(initial=-1) else self.plan.at(j))
            self._column(j, link, last)
        return self.cells[:: self.k]

    def _keep(self, k: int) -> None:
        """Go on with ``k`` candidates per row, an even share of those it has."""
        if k < self.k:
            self.features = self.features[:: self.k // k]
            self.cells = self.cells[:: self.k // k]
            self.k = k

    def _column(self, j: int, link: Link, last: np.ndarray) -> None:
        known = ~np.isnan(self.fixed[:, j])
        rows = np.flatnonzero(known & (last >= j))
        if known.all() and not len(rows):  # nothing to draw, nothing to weigh
            self._read(j, link, np.repeat(self.fixed[:, j], self.k))
            return
        u = self.noise[j][:, : self.k].reshape(-1, _PER_CELL)  # (n k, 3)
        linear = link.linear.predict(self.features[:, : link.first])
        self.features[:, link.score_at : link.score_at + link.linear.size] = linear
        leaves = link.forest.leaves(self.features, u[:, 0])
        states, scores = link.forest.draw(leaves, u[:, 1], ndtri(u[:, 2]))
        drawn = link.column.decode(states, scores + linear[:, 0] if link.additive else scores)
        asked = np.repeat(self.fixed[:, j], self.k)
        self.cells[:, j] = np.where(np.repeat(known, self.k), asked, drawn)
        if self.k > 1 and len(rows):
            self._resample(j, link, rows, final=last[rows] == j)
        self._read(j, link, self.cells[:, j])

    def _read(self, j: int, link: Link, cells: np.ndarray) -> None:
        """Take cells as those of column ``j``, for the columns after it to read."""
        self.cells[:, j] = cells
        features = link.coding.features(link.column, cells)
        self.features[:, link.first : link.first + link.coding.width] = features

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


def _noise(seed: int, ids: Sequence[str], columns: int, k: int, stream: str) -> list[np.ndarray]:
    """Return the random numbers of each column, (n, k, 3)."""
    if not columns:
        return []
    flat = seeding.uniform(seed, ids, columns * k * _PER_CELL, stream=stream)
    return list(flat.reshape(len(ids), columns, k, _PER_CELL).swapaxes(0, 1))
