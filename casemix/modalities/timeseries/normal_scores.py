"""Numbers to and from normal scores, by the quantiles of each column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtr, ndtri

_KNOTS = 101


@dataclass(frozen=True)
class NormalScores:
    """A monotone map of each column to about standard normal.

    Args:
        quantiles: of each column, (knots, k).
    """

    quantiles: np.ndarray

    @classmethod
    def fit(cls, columns: np.ndarray) -> Self:
        """Learn from numbers (n, k); NaN = absent, at least one number per column."""
        return cls(np.nanquantile(columns, np.linspace(0, 1, _KNOTS), axis=0))

    def scores(self, columns: np.ndarray) -> np.ndarray:
        """Return normal scores, float64 (n, k); absent = 0."""
        edge, out = 0.5 / _KNOTS, np.zeros(columns.shape)
        shares = np.linspace(edge, 1 - edge, _KNOTS)
        for j, known in enumerate(self.quantiles.T):
            # Just below and just above: a value that many rows share lies in between.
            near = 1e-9 * max(np.ptp(known), 1e-9)
            u = np.interp(columns[:, j] - near, known, shares) / 2
            u += np.interp(columns[:, j] + near, known, shares) / 2
            out[:, j] = np.nan_to_num(ndtri(u))
        return out

    def numbers(self, scores: np.ndarray) -> np.ndarray:
        """Return the numbers that scores (n, k) stand for."""
        shares, u = np.linspace(0.0, 1.0, _KNOTS), ndtr(scores)
        columns = [np.interp(u[:, j], shares, known) for j, known in enumerate(self.quantiles.T)]
        return np.stack(columns, axis=1) if columns else np.zeros(scores.shape)
