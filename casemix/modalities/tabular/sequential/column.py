"""One column as states: missing, one of few common values or levels, or a continuous value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from casemix.core.fields import Field, Kind, Schema, field_from_json
from casemix.modalities.tabular.normal_score import NormalScore

#: Codes of `Column.states`; an atom or level k has the code ``ATOM + k``.
MISSING, CONTINUOUS, ATOM = 0, 1, 2

# A number that this share of the rows has, and at least this many rows, is an atom.
_COMMON_SHARE = 0.002
_COMMON_COUNT = 20
_COMMON_SUBJECTS = 5  # and so many subjects
_MOST_DECIMALS = 8


@dataclass(frozen=True)
class Grid:
    """The recorded resolution of a numeric column: ``origin + k * step``.

    Args:
        origin: any value on the grid.
        step: distance of neighbours; 0 = no common resolution.
        decimals: recorded decimals.
        positive: whether no value was negative; then none becomes so.
    """

    origin: float = 0.0
    step: float = 0.0
    decimals: int = 0
    positive: bool = False

    @classmethod
    def fit(cls, values: np.ndarray) -> Grid:
        """Learn the coarsest grid that holds all values, (n,), finite."""
        positive = bool(values.min() >= 0)
        for decimals in range(_MOST_DECIMALS + 1):
            scaled = values * 10.0**decimals
            if np.abs(scaled).max(initial=0.0) > 2.0**53:
                break
            if np.array_equal(np.round(values, decimals), values):
                whole = np.round(scaled).astype(np.int64)
                step = int(np.gcd.reduce(np.abs(whole - whole.min())))
                return cls(float(values.min()), step / 10.0**decimals, decimals, positive)
        return cls(positive=positive)

    def snap(self, values: np.ndarray) -> np.ndarray:
        """Return the nearest values on the grid."""
        snapped = np.maximum(values, 0.0) if self.positive else values
        if self.step == 0.0:
            return snapped
        steps = np.round((snapped - self.origin) / self.step)
        return np.round(self.origin + steps * self.step, self.decimals)


@dataclass(frozen=True)
class Column:
    """How one column's cells become states and scores, and how they come back.

    A *cell* is a float: the number itself, or the position of a level; NaN = missing.

    Args:
        field: name, kind, levels and range.
        atoms: numbers that many rows share, sorted; empty for levelled fields.
        rest: normal scores of the numbers that are no atoms; None where there are none.
        overall: normal scores of all numbers; None for levelled fields.
        grid: recorded resolution of the numbers.
    """

    field: Field
    atoms: np.ndarray
    rest: NormalScore | None
    overall: NormalScore | None
    grid: Grid

    @classmethod
    def fit(cls, field: Field, cells: np.ndarray, owners: np.ndarray | None = None) -> Column:
        """Learn atoms, scores and resolution.

        Args:
            field: the column's field.
            cells: (n,).
            owners: number of the subject of each cell, (n,); each its own subject's if None.
        """
        there = ~np.isnan(cells)
        known = cells[there]
        whose = np.arange(len(known)) if owners is None else owners[there]
        if field.kind is not Kind.NUMERIC or len(known) == 0:
            return cls(field, np.empty(0), None, None, Grid())
        values, counts = np.unique(known, return_counts=True)
        enough = max(_COMMON_COUNT, math.ceil(_COMMON_SHARE * len(known)))
        # A column without variation has nothing but its one value to give.
        common = (counts >= enough) & (_subjects(known, whose) >= _COMMON_SUBJECTS)
        atoms = values[common | (len(values) == 1)]
        others = known[~np.isin(known, atoms)]
        rest = NormalScore.fit(others) if len(others) else None
        return cls(field, atoms, rest, NormalScore.fit(known), Grid.fit(known))

    @property
    def numeric(self) -> bool:
        """Whether cells are numbers; otherwise they are positions of levels."""
        return self.field.kind is Kind.NUMERIC

    @property
    def states(self) -> int:
        """The number of states."""
        return ATOM + (len(self.atoms) if self.numeric else len(self.field.levels))

    def on_one_scale(self) -> Column:
        """Return the column with the scores of all numbers, atoms included."""
        return replace(self, rest=self.overall)

    def encode(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return states int32 (n,), and the scores of continuous cells (0 elsewhere), (n,)."""
        known = ~np.isnan(cells)
        states = np.zeros(len(cells), dtype=np.int32)
        if not self.numeric:
            states[known] = ATOM + cells[known].astype(np.int32)
            return states, np.zeros(len(cells))
        position = self._atom(cells[known])
        states[known] = np.where(position >= 0, ATOM + position, CONTINUOUS)
        scores = np.zeros(len(cells))
        free = states == CONTINUOUS
        if self.rest is not None:
            scores[free] = self.rest.score(cells[free])
        return states, scores

    def _atom(self, values: np.ndarray) -> np.ndarray:
        """Return the position of each value among the atoms, -1 where it is none.

        A column of atoms alone has no other state: there, the nearest atom.
        """
        if len(self.atoms) == 0:
            return np.full(len(values), -1)
        right = np.clip(np.searchsorted(self.atoms, values), 0, len(self.atoms) - 1)
        left = np.maximum(right - 1, 0)
        nearer_left = np.abs(values - self.atoms[left]) < np.abs(values - self.atoms[right])
        nearest = np.where(nearer_left, left, right)
        if self.rest is None:
            return nearest
        return np.where(self.atoms[nearest] == values, nearest, -1)

    def decode(self, states: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return cells, (n,), from states and continuous scores; the inverse of `encode`."""
        cells = np.full(len(states), np.nan)
        atom = states >= ATOM
        cells[atom] = self.atoms[states[atom] - ATOM] if self.numeric else states[atom] - ATOM
        free = states == CONTINUOUS
        if self.rest is not None:
            values = self.grid.snap(self.rest.value(scores[free]))
            cells[free] = values if self.field.range is None else np.clip(values, *self.field.range)
        return cells

    def to_json(self) -> dict[str, Any]:
        """Return the column as JSON-ready content."""
        return {
            "field": Schema((self.field,)).to_json()[0],
            "atoms": self.atoms.tolist(),
            "rest": None if self.rest is None else self.rest.to_json(),
            "overall": None if self.overall is None else self.overall.to_json(),
            "grid": list(astuple(self.grid)),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Column:
        """Rebuild what `to_json` wrote."""
        rest, overall = (
            None if content[k] is None else NormalScore.from_json(content[k])
            for k in ("rest", "overall")
        )
        grid = Grid(*content["grid"])
        return cls(
            field_from_json(content["field"]), np.array(content["atoms"]), rest, overall, grid
        )


def _subjects(values: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """Return how many subjects have each distinct value, in the order of `numpy.unique`."""
    pairs = np.unique(np.stack([values, owners], axis=1), axis=0)
    return np.unique(pairs[:, 0], return_counts=True)[1]


def to_cells(field: Field, column: pd.Series) -> np.ndarray:
    """Return a typed column as cells, float64 (n,)."""
    if field.kind is Kind.NUMERIC:
        return column.to_numpy(dtype=np.float64)
    position = {level: i for i, level in enumerate(field.levels)}
    return column.map(position).to_numpy(dtype=np.float64, na_value=np.nan)


def from_cells(field: Field, cells: np.ndarray) -> np.ndarray:
    """Return cells as the values of a typed column."""
    if field.kind is Kind.NUMERIC:
        return cells
    names = np.array([*field.levels, None], dtype=object)
    return names[np.where(np.isnan(cells), len(field.levels), cells).astype(int)]
