"""Columns as SDV's networks learn them: numbers and levels, no missing cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from casemix.core import seeding
from casemix.core.fields import Field, Kind, Schema, field_from_json
from casemix.modalities.tabular.sequential.column import Grid, to_cells

_KNOWN, _MISSING = "known", "missing"


@dataclass(frozen=True)
class MixedColumn:
    """How one field becomes a column of numbers, a column of levels, or both, and comes back.

    Levels are the positions of the field's levels; a missing cell is a level as well. A column
    that does not vary is left out and restored.

    Args:
        field: name, kind, levels and range.
        states: the levels that occur: ``known`` (a number), positions, ``missing``.
        bounds: least and largest number; equal where numbers do not vary.
        grid: recorded resolution of the numbers.
    """

    field: Field
    states: tuple[str, ...]
    bounds: tuple[float, float]
    grid: Grid

    @classmethod
    def fit(cls, field: Field, cells: np.ndarray) -> Self:
        """Learn from cells, (n,): numbers or positions of levels; NaN = missing."""
        states = tuple(np.unique(_states(field, cells)).tolist())
        known = cells[~np.isnan(cells)]
        if field.kind is not Kind.NUMERIC or len(known) == 0:
            return cls(field, states, (0.0, 0.0), Grid())
        return cls(field, states, (float(known.min()), float(known.max())), Grid.fit(known))

    @property
    def number(self) -> str | None:
        """The name of its column of numbers, if it has one."""
        return self.field.name if self.bounds[0] < self.bounds[1] else None

    @property
    def state(self) -> str | None:
        """The name of its column of levels, if there is more than one."""
        return f"{self.field.name} (state)" if len(self.states) > 1 else None

    def encode(self, cells: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return its columns; a missing number is replaced by that of a random row."""
        columns: dict[str, np.ndarray] = {}
        if self.number:
            missing = np.isnan(cells)
            numbers = cells.copy()
            numbers[missing] = rng.choice(cells[~missing], size=int(missing.sum()))
            columns[self.number] = numbers
        if self.state:
            columns[self.state] = _states(self.field, cells)
        return columns

    def decode(self, columns: Mapping[str, np.ndarray], n: int) -> np.ndarray:
        """Return n cells; the inverse of `encode`."""
        states = columns[self.state] if self.state else np.full(n, self.states[0], dtype=object)
        missing = states == _MISSING
        if self.field.kind is not Kind.NUMERIC:
            return np.where(missing, "nan", states).astype(np.float64)
        numbers = columns[self.number] if self.number else np.full(n, self.bounds[0])
        snapped = self.grid.snap(np.clip(numbers.astype(np.float64), *self.bounds))
        return np.where(missing, np.nan, snapped)

    def to_json(self) -> dict[str, Any]:
        """Return the column as JSON-ready content."""
        field = Schema((self.field,)).to_json()[0]
        return {"field": field, "grid": asdict(self.grid)} | {
            "states": list(self.states),
            "bounds": list(self.bounds),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Rebuild what `to_json` wrote."""
        low, high = content["bounds"]
        field, states = field_from_json(content["field"]), tuple(content["states"])
        return cls(field, states, (low, high), Grid(**content["grid"]))


def fit_mixed(
    rows: pd.DataFrame, schema: Schema, seed: int
) -> tuple[tuple[MixedColumn, ...], pd.DataFrame]:
    """Return the columns of typed rows, and the table of numbers and levels to learn from."""
    columns: list[MixedColumn] = []
    table: dict[str, np.ndarray] = {}
    for field in schema:
        cells = to_cells(field, rows[field.name])
        column = MixedColumn.fit(field, cells)
        table |= column.encode(cells, seeding.generator(seed, "cells", field.name))
        columns.append(column)
    return tuple(columns), pd.DataFrame(table)


def _states(field: Field, cells: np.ndarray) -> np.ndarray:
    """Return the level of each cell as text, (n,)."""
    missing = np.isnan(cells)
    if field.kind is Kind.NUMERIC:
        return np.where(missing, _MISSING, _KNOWN).astype(object)
    positions = np.where(missing, 0, cells).astype(int).astype(str)
    return np.where(missing, _MISSING, positions).astype(object)
