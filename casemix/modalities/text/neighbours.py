"""Training notes by nearness of their conditions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from casemix.core.conditions import Conditions
from casemix.core.encoding import ConditionEncoder


@dataclass(frozen=True)
class Neighbours:
    """Finds the training rows nearest to a row of conditions.

    Args:
        encoder: fitted on the training conditions.
        values: encoded training rows, (n, w).
        known: which of them are specified, (n, w).
    """

    encoder: ConditionEncoder
    values: np.ndarray
    known: np.ndarray

    @classmethod
    def fit(cls, given: Conditions) -> Neighbours:
        """Keep the encoded training conditions."""
        encoder = ConditionEncoder.fit(given)
        return cls(encoder, *encoder.encode(given))

    def nearest(self, given: Conditions, k: int) -> np.ndarray:
        """Return the positions of the k nearest training rows, (n, k), nearest first.

        Cells that either side does not specify do not count.
        """
        values, known = self.encoder.encode(given)
        found = []
        for row, seen in zip(values, known, strict=True):
            distance = (((row - self.values) ** 2) * seen * self.known).sum(axis=1)
            found.append(np.argsort(distance, kind="stable")[:k])
        return np.array(found, dtype=int).reshape(len(given), min(k, len(self.values)))
