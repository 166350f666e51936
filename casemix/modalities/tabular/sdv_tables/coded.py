"""Columns as SDV's Gaussian copula learns them best: continuous numbers, no missing cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from casemix.core import seeding
from casemix.core.fields import Field, Kind, Schema, field_from_json
from casemix.modalities.tabular.sequential.column import Grid, from_cells, to_cells


@dataclass(frozen=True)
class CodedColumn:
    """How one field becomes up to two columns of numbers, and how these come back.

    The *state* of a cell is its level, ``a number``, or ``missing``. It is coded as a number in
    (0, 1), drawn uniformly from an interval as wide as the state's share of the rows: a
    continuous column with a uniform distribution. So missingness is learnt as data.

    Args:
        field: name, kind, levels and range.
        edges: ends of the states' intervals, increasing from 0 to 1, (states + 1,).
        bounds: least and largest training number; equal where numbers do not vary.
        grid: recorded resolution of the numbers.
    """

    field: Field
    edges: tuple[float, ...]
    bounds: tuple[float, float]
    grid: Grid

    @classmethod
    def fit(cls, field: Field, cells: np.ndarray) -> Self:
        """Learn from cells, (n,): numbers or positions of levels; NaN = missing."""
        known = cells[~np.isnan(cells)]
        numeric = field.kind is Kind.NUMERIC
        states = _states(field, cells)
        counts = np.bincount(states, minlength=(1 if numeric else len(field.levels)) + 1)
        edges = tuple((np.append(0, np.cumsum(counts)) / len(cells)).tolist())
        if not numeric or len(known) == 0:
            return cls(field, edges, (0.0, 0.0), Grid())
        return cls(field, edges, (float(known.min()), float(known.max())), Grid.fit(known))

    @property
    def number(self) -> str | None:
        """The name of its column of numbers, if it has one."""
        return self.field.name if self.bounds[0] < self.bounds[1] else None

    @property
    def state(self) -> str | None:
        """The name of its column of coded states, if there is more than one state."""
        several = np.count_nonzero(np.diff(self.edges)) > 1
        return f"{self.field.name} (state)" if several else None

    def encode(
        self, cells: np.ndarray, u: np.ndarray, *, missing_is_a_state: bool
    ) -> dict[str, np.ndarray]:
        """Return its columns, NaN where nothing is known.

        Args:
            cells: (n,).
            u: uniform numbers in (0, 1), (n,): where in the interval of its state a cell lies.
            missing_is_a_state: a missing cell is known to be missing, or not known at all.
        """
        columns = {}
        if self.number:
            columns[self.number] = np.clip(cells, *self.bounds)
        if self.state:
            low, high = (np.array(e)[_states(self.field, cells)] for e in self._intervals)
            known = (high > low) & (missing_is_a_state | ~np.isnan(cells))
            columns[self.state] = np.where(known, low + u * (high - low), np.nan)
        return columns

    def decode(self, columns: Mapping[str, np.ndarray], n: int) -> np.ndarray:
        """Return n cells from columns without NaN; the inverse of `encode`."""
        states = self._decoded_states(columns, n)
        if self.field.kind is not Kind.NUMERIC:
            return np.where(states == len(self.field.levels), np.nan, states)
        numbers = columns[self.number] if self.number else np.full(n, self.bounds[0])
        snapped = self.grid.snap(numbers)
        ranged = snapped if self.field.range is None else np.clip(snapped, *self.field.range)
        return np.where(states == 1, np.nan, ranged)

    def _decoded_states(self, columns: Mapping[str, np.ndarray], n: int) -> np.ndarray:
        if self.state is None:
            return np.full(n, int(np.argmax(np.diff(self.edges))))
        inside = np.clip(columns[self.state], 0.0, np.nextafter(1.0, 0.0))
        return np.searchsorted(self.edges, inside, side="right") - 1

    @property
    def _intervals(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return self.edges[:-1], self.edges[1:]

    def to_json(self) -> dict[str, Any]:
        """Return the column as JSON-ready content."""
        field = Schema((self.field,)).to_json()[0]
        return {"edges": self.edges, "bounds": self.bounds, "grid": asdict(self.grid)} | {
            "field": field
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Rebuild what `to_json` wrote."""
        low, high = content["bounds"]
        field = field_from_json(content["field"])
        return cls(field, tuple(content["edges"]), (low, high), Grid(**content["grid"]))


def _states(field: Field, cells: np.ndarray) -> np.ndarray:
    """Return the state of each cell, int (n,); the last state is missing."""
    if field.kind is Kind.NUMERIC:
        return np.isnan(cells).astype(int)
    return np.where(np.isnan(cells), len(field.levels), cells).astype(int)


def fit_coded(
    frame: pd.DataFrame, schema: Schema, seed: int
) -> tuple[tuple[CodedColumn, ...], pd.DataFrame]:
    """Return the columns of a typed frame, and the frame that SDV learns from.

    A missing number is replaced by that of a random row, which leaves the distribution of the
    numbers as it is; that it is missing stands in the column of states.
    """
    coded: dict[str, np.ndarray] = {}
    columns = []
    for field in schema:
        rng = seeding.generator(seed, "cells", field.name)
        cells = to_cells(field, frame[field.name])
        column = CodedColumn.fit(field, cells)
        columns.append(column)
        coded |= column.encode(cells, rng.uniform(size=len(cells)), missing_is_a_state=True)
        if column.number:
            missing = np.isnan(cells)
            coded[column.number][missing] = rng.choice(cells[~missing], size=int(missing.sum()))
    return tuple(columns), pd.DataFrame(coded)


def encode_known(
    columns: tuple[CodedColumn, ...], frame: pd.DataFrame, u: np.ndarray
) -> pd.DataFrame:
    """Return what is known of SDV's columns, NaN elsewhere.

    Args:
        columns: d columns.
        frame: n rows of any of their fields, typed; a missing cell is not known.
        u: uniform numbers in (0, 1), (n, d).
    """
    known: dict[str, np.ndarray] = {}
    for j, column in enumerate(columns):
        if column.field.name in frame:
            cells = to_cells(column.field, frame[column.field.name])
            known |= column.encode(cells, u[:, j], missing_is_a_state=False)
    return pd.DataFrame(known, index=frame.index)


def decode(columns: tuple[CodedColumn, ...], coded: pd.DataFrame) -> pd.DataFrame:
    """Return the typed cells of these columns, with SDV's columns given in full."""
    numbers = {str(name): coded[name].to_numpy() for name in coded}
    cells = {c.field.name: from_cells(c.field, c.decode(numbers, len(coded))) for c in columns}
    return pd.DataFrame(cells, index=coded.index)
