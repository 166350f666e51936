"""Normal scores: numbers of any shape to a standard normal and back, by rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

_MOST_KNOTS = 512
# The ends are the mean of this many extreme values, so that no single person's extreme is kept
# ("top and bottom coding": Hundepool et al., Statistical Disclosure Control, 2012, section 3.2).
_EXTREMES = 3


@dataclass(frozen=True)
class NormalScore:
    """A monotone, piecewise linear map between values and normal scores of their mid-ranks.

    Args:
        values: increasing knots in the column's unit, (k,), k >= 1.
        scores: their normal scores, increasing, (k,).
    """

    values: np.ndarray
    scores: np.ndarray

    @classmethod
    def fit(cls, observed: np.ndarray) -> NormalScore:
        """Learn the map from finite values, (n,), n >= 1."""
        coded = _end_coded(np.asarray(observed, dtype=np.float64))
        distinct, counts = np.unique(coded, return_counts=True)
        share = (np.cumsum(counts) - counts / 2) / len(coded)
        if len(distinct) > _MOST_KNOTS:
            wanted = np.linspace(share[0], share[-1], _MOST_KNOTS)
            kept = np.unique(np.clip(np.searchsorted(share, wanted), 0, len(share) - 1))
            distinct, share = distinct[kept], share[kept]
        return cls(distinct, ndtri(share))

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


def _end_coded(observed: np.ndarray) -> np.ndarray:
    if len(observed) < 4 * _EXTREMES:
        return observed
    ordered = np.sort(observed)
    return np.clip(observed, ordered[:_EXTREMES].mean(), ordered[-_EXTREMES:].mean())
