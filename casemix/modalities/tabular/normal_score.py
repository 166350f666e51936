"""Normal scores: numbers of any shape to a standard normal and back, by rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

# Neighbouring values are taken together, at least this many rows at a time, so that neither a
# single person's value nor the gaps between single persons' values are kept.
_LEAST_ROWS = 8
_WIDTH = 0.25  # of a group, in normal scores, at `_ROWS` rows; narrower as their cube root grows
_ROWS = 400


@dataclass(frozen=True)
class NormalScore:
    """A monotone, piecewise linear map between values and normal scores of their mid-ranks.

    Its knots are means of groups of neighbours: a smooth estimate of the distribution, not a copy
    of the training values.

    Args:
        values: increasing knots in the column's unit, (k,), k >= 1.
        scores: their normal scores, increasing, (k,).
    """

    values: np.ndarray
    scores: np.ndarray

    @classmethod
    def fit(cls, observed: np.ndarray) -> NormalScore:
        """Learn the map from finite values, (n,), n >= 1."""
        n = len(observed)
        distinct, counts = np.unique(observed, return_counts=True)
        score = ndtri((np.cumsum(counts) - counts / 2) / n)
        width = _WIDTH * (_ROWS / n) ** (1 / 3)
        group = _merged(np.floor(score / width).astype(int), counts)
        size = np.bincount(group, weights=counts)
        values = np.bincount(group, weights=counts * distinct) / size
        scores = np.bincount(group, weights=counts * score) / size
        return cls(*_with_ends(values, scores, score[0], score[-1]))

    def score(self, values: np.ndarray) -> np.ndarray:
        """Return normal scores; values beyond the ends score as the ends."""
        return np.interp(values, self.values, self.scores)

    def value(self, scores: np.ndarray) -> np.ndarray:
        """Return values, always between the ends."""
        return np.interp(scores, self.scores, self.values)

    def to_json(self) -> dict[str, Any]:
        """Return the knots as JSON-ready lists."""
        return {"values": self.values.tolist(), "scores": self.scores.tolist()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> NormalScore:
        """Rebuild what `to_json` wrote."""
        return cls(np.array(content["values"]), np.array(content["scores"]))


def _merged(group: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return group numbers 0, 1 ... of distinct values, no group below the least size."""
    starts = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    sizes = np.add.reduceat(counts, starts).tolist()
    merged, current, held = [], 0, 0
    for size in sizes:
        merged.append(current)
        held += size
        if held >= _LEAST_ROWS:
            current, held = current + 1, 0
    if held and current:  # too few are left for a group of their own
        merged = [min(m, current - 1) for m in merged]
    return np.repeat(merged, np.diff(np.append(starts, len(group))))


def _with_ends(
    values: np.ndarray, scores: np.ndarray, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the knots with the outer pieces prolonged to the extreme scores."""
    if len(values) < 2:
        return values, scores
    slope = np.diff(values) / np.diff(scores)
    first = values[0] - slope[0] * (scores[0] - low)
    last = values[-1] + slope[-1] * (high - scores[-1])
    inner = (scores > low) & (scores < high)
    return (
        np.concatenate([[first], values[inner], [last]]),
        np.concatenate([[low], scores[inner], [high]]),
    )
