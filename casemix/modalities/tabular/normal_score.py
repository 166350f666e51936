"""Normal scores: numbers of any shape to a standard normal and back, by rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

# Neighbouring values are taken together in groups of at least this many rows, so that neither a
# single person's value nor the gaps between single persons' values are kept.
_LEAST_ROWS = 8
_MOST_GROUPS = 512


@dataclass(frozen=True)
class NormalScore:
    """A monotone map between values and normal scores of their ranks, by groups of neighbours.

    Values become scores through the groups' means and mid-ranks; scores become values through
    the groups' edges, so that values that many rows share come back with their own share.

    Args:
        values: mean of each group in the column's unit, increasing, (k,), k >= 1.
        scores: mean normal score of each group, increasing, (k,).
        edges: limits of the groups, increasing, (k + 1,).
        edge_scores: normal scores of the limits, increasing, (k + 1,).
    """

    values: np.ndarray
    scores: np.ndarray
    edges: np.ndarray
    edge_scores: np.ndarray

    @classmethod
    def fit(cls, observed: np.ndarray) -> NormalScore:
        """Learn the map from finite values, (n,), n >= 1."""
        n = len(observed)
        distinct, counts = np.unique(observed, return_counts=True)
        below = np.cumsum(counts)
        share = (below - counts / 2) / n
        rows = max(_LEAST_ROWS, n / _MOST_GROUPS)
        group = np.unique((share * n // rows).astype(int), return_inverse=True)[1]
        size = np.bincount(group, weights=counts)
        values = np.bincount(group, weights=counts * distinct) / size
        scores = np.bincount(group, weights=counts * ndtri(share)) / size
        last = np.flatnonzero(np.diff(group))  # last distinct value of each group but the last
        inner = (distinct[last] + distinct[last + 1]) / 2
        if len(inner) == 0:
            return cls(values, scores, np.repeat(values, 2), np.array([-1.0, 1.0]))
        # An end group reaches as far out from its mean as its inner edge lies inwards.
        ends = 2 * values[[0, -1]] - inner[[0, -1]]
        far = float(ndtri(0.5 / n))
        return cls(
            values,
            scores,
            np.concatenate([ends[:1], inner, ends[1:]]),
            np.concatenate([[far], ndtri(below[last] / n), [-far]]),
        )

    def score(self, values: np.ndarray) -> np.ndarray:
        """Return normal scores; values beyond the end groups score as these."""
        return np.interp(values, self.values, self.scores)

    def value(self, scores: np.ndarray) -> np.ndarray:
        """Return values, always between the outer edges."""
        return np.interp(scores, self.edge_scores, self.edges)

    def to_json(self) -> dict[str, Any]:
        """Return the map as JSON-ready lists."""
        return {name: getattr(self, name).tolist() for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> NormalScore:
        """Rebuild what `to_json` wrote."""
        return cls(**{name: np.array(content[name]) for name in cls.__dataclass_fields__})
