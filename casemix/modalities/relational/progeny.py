"""Progeny: how far the children of each parent have come while they are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from casemix.modalities.relational.steps import Parents, Steps


@dataclass
class Progeny:
    """The children so far of p parents.

    Args:
        before: the last step of each parent.
        reference: the time that the next one counts from, hours (p,).
        seen: unique column -> parent -> the levels that its children have.
        stopped: parents that have no further child, whatever their number was to be.
    """

    before: pd.DataFrame
    reference: np.ndarray
    seen: dict[str, dict[int, set[object]]]
    stopped: np.ndarray

    @classmethod
    def first(cls, parents: Parents, steps: Steps) -> Progeny:
        """Return the state before the first child."""
        before = steps.schema.empty(pd.RangeIndex(len(parents)))
        names = steps.schema.names
        stopped = np.zeros(len(parents), dtype=bool)
        return cls(before, parents.start.copy(), {n: {} for n in names}, stopped)

    def move(
        self, active: np.ndarray, drawn: pd.DataFrame, rows: pd.DataFrame, start: str | None
    ) -> None:
        """Add a child of each active parent: its step, and its row with the time ``start``."""
        for name in drawn:
            self.before[name] = _put(self.before[name], active, drawn[name])
        if start is not None:
            times = rows[start].to_numpy()
            known = ~np.isnan(times)
            self.reference[active[known]] = times[known]


def _put(column: pd.Series, places: np.ndarray, cells: pd.Series) -> np.ndarray:
    values = column.to_numpy().copy()
    values[places] = cells.to_numpy()
    return values
