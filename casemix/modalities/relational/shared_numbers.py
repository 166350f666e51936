"""Numbers as states: values that several subjects share, what lies between, and the tails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from casemix.core import seeding
from casemix.core.fields import Field, Kind, Schema

_LEAST = 5  # subjects that share a value, or reach into a tail
_ROWS = 8  # least rows of a shared value
_MOST = 60  # shared values of a column
_SHARE = 0.1  # of the known rows that shared values have, or they are left to the generator
_DECIMALS = 6
_BETWEEN, _BELOW, _ABOVE = "between", "below", "above"


@dataclass(frozen=True)
class Tail:
    """Numbers beyond a bound: an exponential excess.

    Args:
        bound: where it begins.
        scale: mean excess: the median over at least five subjects of their own mean excess.
    """

    bound: float
    scale: float


@dataclass(frozen=True)
class SharedNumbers:
    """The states of one numeric column.

    Args:
        values: numbers that five subjects share, ascending.
        alone: whether these are all numbers there are.
        tails: ``below`` and ``above``, where five subjects reach beyond a bound.
        decimals: recorded decimals, at most 6.
        positive: whether no training number is negative; then none becomes so.
    """

    values: tuple[float, ...]
    alone: bool
    tails: Mapping[str, Tail]
    decimals: int
    positive: bool

    @classmethod
    def fit(cls, cells: np.ndarray, owners: np.ndarray) -> SharedNumbers | None:
        """Learn from training cells (n,) of these subjects (n,); None where states say nothing."""
        there = ~np.isnan(cells)
        known, whose = cells[there], owners[there]
        if not len(known):
            return None
        values = _shared(known, whose)
        covered = np.isin(known, values)
        if covered.mean() < _SHARE:
            values, covered = np.empty(0), np.zeros(len(known), dtype=bool)
        tails = {} if covered.all() else _tails(known, whose, covered)
        if not len(values) and not tails:
            return None
        decimals = next(
            (d for d in range(_DECIMALS) if np.array_equal(np.round(known, d), known)), _DECIMALS
        )
        positive = bool(known.min() >= 0)
        return cls(tuple(map(float, values)), bool(covered.all()), tails, decimals, positive)

    @property
    def levels(self) -> tuple[str, ...]:
        """The names of the states."""
        between = () if self.alone else (_BETWEEN, *self.tails)
        return (*map(repr, self.values), *between)

    def states(self, cells: np.ndarray) -> np.ndarray:
        """Return the state of each cell, None where missing, object (n,)."""
        found = np.full(len(cells), _BETWEEN, dtype=object)
        for name, side in ((_BELOW, -1.0), (_ABOVE, 1.0)):
            if (tail := self.tails.get(name)) is not None:
                found[side * (cells - tail.bound) > 0] = name
        for value in self.values:
            found[cells == value] = repr(value)
        found[np.isnan(cells)] = None
        return found

    def within(self, cells: np.ndarray) -> np.ndarray:
        """Return the cells without their tails, (n,)."""
        low = self.tails[_BELOW].bound if _BELOW in self.tails else -np.inf
        high = self.tails[_ABOVE].bound if _ABOVE in self.tails else np.inf
        return np.clip(cells, low, high)

    def cells(self, states: np.ndarray, within: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Return the numbers of drawn states, (n,).

        Args:
            states: drawn states, object (n,).
            within: drawn numbers for the state ``between``, (n,).
            u: uniform numbers that draw the tails, (n,).
        """
        cells = np.where(pd.isna(states), np.nan, within)
        for name, side in ((_BELOW, -1.0), (_ABOVE, 1.0)):
            if (tail := self.tails.get(name)) is not None:
                beyond = tail.bound - side * tail.scale * np.log(u)
                beyond = np.maximum(beyond, 0.0) if self.positive else beyond
                cells = np.where(states == name, np.round(beyond, self.decimals), cells)
        for value in self.values:
            cells[states == repr(value)] = value
        return cells

    def to_json(self) -> dict[str, Any]:
        """Return the states as JSON-ready content."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> SharedNumbers:
        """Rebuild what `to_json` wrote."""
        tails = {name: Tail(**tail) for name, tail in content["tails"].items()}
        return cls(**{**content, "values": tuple(content["values"]), "tails": tails})


@dataclass(frozen=True)
class StatedNumbers:
    """A table whose numbers have states of their own, as a tabular generator learns it.

    Tabular generators smooth numbers and top-code what fewer than five subjects reach. A price or
    a gap of exactly nothing must stay what it is, and long stays must not pile up at a bound: here
    a number becomes its state (``<name> is``: a value that five subjects share, between, below,
    above) beside the number within the bounds. A number beyond a bound is drawn from an exponential
    tail, of which no more is known than the median scale of at least five subjects.

    Reference: Hundepool et al., Statistical Disclosure Control, Wiley 2012, ch. 3 (top coding).

    Args:
        original: the columns as they come in.
        numbers: numeric column -> its states.
    """

    original: Schema
    numbers: Mapping[str, SharedNumbers]

    @classmethod
    def fit(cls, frame: pd.DataFrame, schema: Schema, owners: np.ndarray) -> StatedNumbers:
        """Learn from rows (n, columns) of these subjects (n,)."""
        fitted = {
            f.name: SharedNumbers.fit(frame[f.name].to_numpy(dtype=np.float64), owners)
            for f in schema
            if f.kind is Kind.NUMERIC
        }
        return cls(schema, {name: found for name, found in fitted.items() if found is not None})

    @property
    def schema(self) -> Schema:
        """The columns that a generator learns."""
        return Schema(tuple(f for field in self.original for f in self._fields(field)))

    def _fields(self, field: Field) -> tuple[Field, ...]:
        if (number := self.numbers.get(field.name)) is None:
            return (field,)
        state = Field(_state(field.name), Kind.CATEGORICAL, levels=number.levels)
        return (state,) if number.alone else (state, field)

    def encode(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return rows as they are learnt."""
        columns: dict[str, Any] = {}
        for name in self.original.names:
            if (number := self.numbers.get(name)) is None:
                columns[name] = frame[name].to_numpy()
                continue
            cells = frame[name].to_numpy(dtype=np.float64)
            columns[_state(name)] = number.states(cells)
            if not number.alone:
                columns[name] = number.within(cells)
        return pd.DataFrame(columns, index=frame.index)

    def decode(self, drawn: pd.DataFrame, ids: np.ndarray, *, seed: int) -> pd.DataFrame:
        """Return drawn rows as they came in; ``ids`` (n,) draw the tails."""
        columns: dict[str, Any] = {}
        for f in self.original:
            if (number := self.numbers.get(f.name)) is None:
                columns[f.name] = drawn[f.name].to_numpy()
                continue
            states = drawn[_state(f.name)].to_numpy(dtype=object)
            within = np.full(len(drawn), np.nan) if number.alone else drawn[f.name].to_numpy()
            u = seeding.uniform(seed, list(ids), 1, stream=f"tail {f.name}")[:, 0]
            cells = number.cells(states, within, u)
            columns[f.name] = np.clip(cells, *f.range) if f.range else cells
        return pd.DataFrame(columns, index=drawn.index)

    def to_json(self) -> dict[str, Any]:
        """Return the states as JSON-ready content."""
        numbers = {name: number.to_json() for name, number in self.numbers.items()}
        return {"original": self.original.to_json(), "numbers": numbers}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> StatedNumbers:
        """Rebuild what `to_json` wrote."""
        numbers = {n: SharedNumbers.from_json(about) for n, about in content["numbers"].items()}
        return cls(Schema.from_json(content["original"]), numbers)


def _state(name: str) -> str:
    return f"{name} is"


def _shared(known: np.ndarray, whose: np.ndarray) -> np.ndarray:
    """Return the most frequent values that enough subjects and rows share, ascending."""
    cells = pd.DataFrame({"value": known, "owner": whose})
    rows = cells["value"].value_counts()
    subjects = cells.drop_duplicates()["value"].value_counts()
    enough = rows[(rows >= _ROWS) & (subjects.reindex(rows.index) >= _LEAST)]
    return np.sort(enough.index.to_numpy()[:_MOST])


def _tails(known: np.ndarray, whose: np.ndarray, covered: np.ndarray) -> dict[str, Tail]:
    """Return the tails that enough subjects reach into, beyond what they share."""
    found = {}
    for name, side in ((_BELOW, -1.0), (_ABOVE, 1.0)):
        reach = np.sort((pd.Series(side * known).groupby(whose).max()).to_numpy())[::-1]
        if len(reach) <= 2 * _LEAST:
            continue
        bound = (reach[_LEAST - 1] + reach[_LEAST]) / 2
        excess = pd.Series(side * known - bound)
        beyond = ((excess > 0) & ~covered).to_numpy()
        scales = excess[beyond].groupby(whose[beyond]).mean()
        if len(scales) >= _LEAST:
            found[name] = Tail(float(side * bound), float(scales.median()))
    return found
