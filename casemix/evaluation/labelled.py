"""Labelled records: what a downstream model reads and what it predicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Labelled:
    """Features and targets of one cohort's records.

    Attributes:
        x: (n, d) features, NaN for missing.
        y: (n,) class labels, or numbers.
        subjects: (n,) subject of each record; each its own if None.
    """

    x: npt.ArrayLike
    y: npt.ArrayLike
    subjects: npt.ArrayLike | None = None

    def take(self, rows: npt.NDArray) -> Labelled:
        """Return the records of these rows."""
        subjects = None if self.subjects is None else np.asarray(self.subjects)[rows]
        return Labelled(np.asarray(self.x)[rows], np.asarray(self.y)[rows], subjects)

    def __add__(self, other: Labelled) -> Labelled:
        """Return both cohorts' records, without subjects: ids of two cohorts may collide."""
        return Labelled(
            np.concatenate([np.asarray(self.x), np.asarray(other.x)]),
            np.concatenate([np.asarray(self.y), np.asarray(other.y)]),
        )
