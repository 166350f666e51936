"""Raking: factors per level that give the rows chosen each column's training frequencies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

_ROUNDS = 12
_STEP = 0.5  # of each column's correction that a round takes: columns share their errors
_SHRINKAGE = 100.0  # pseudo-rows of each level, of as many as candidates were drawn for


@dataclass(frozen=True)
class Raking:
    """Log-factors of a row's weight, one per token of each column.

    Args:
        factors: float64, one after the other for all d columns.
        first: where each column's begin, int64 (d,).
    """

    factors: np.ndarray
    first: np.ndarray

    def log_weight(self, rows: np.ndarray) -> np.ndarray:
        """Return the sum of the log-factors of rows (..., d), shape (...)."""
        total: np.ndarray = self.factors[rows + self.first].sum(axis=-1)
        return total

    @classmethod
    def fit(
        cls, counts: Sequence[np.ndarray], given: int, rows: np.ndarray, log_weights: np.ndarray
    ) -> Raking:
        """Find the factors.

        A row is chosen among its candidates in proportion to their weights, so the frequencies of
        the rows chosen are known without choosing.

        Args:
            counts: training rows per token of each of the d columns.
            given: how many columns, the first ones, are only ever given: all candidates of a row
                have the same there, so these get no factors.
            rows: tokens of k candidates of each of n rows, (k, n, d).
            log_weights: of the candidates, (k, n).

        Reference:
            Deville and Särndal, Calibration estimators in survey sampling, JASA 1992; 87:376.
        """
        n = rows.shape[1]
        start = np.cumsum([0, *map(len, counts)])
        raking, log_weights = cls(np.zeros(start[-1]), start[:-1]), log_weights.copy()
        wanted = [n * c / max(c.sum(), 1.0) + _SHRINKAGE for c in counts]
        for _ in range(_ROUNDS):
            chosen = softmax(log_weights, axis=0).ravel()
            for j in range(given, len(counts)):
                tokens, want, first = rows[:, :, j], wanted[j], raking.first[j]
                have = np.bincount(tokens.ravel(), chosen, minlength=len(want)) + _SHRINKAGE
                change = _STEP * np.log(want / have)
                raking.factors[first : first + len(want)] += change
                log_weights += change[tokens]
        return raking
