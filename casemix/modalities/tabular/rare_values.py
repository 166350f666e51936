"""Real values that would point to single subjects: kept out of what a model learns and shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from casemix.core import seeding
from casemix.core.conditions import Conditions
from casemix.core.fields import LEVELLED, Field, Kind, Schema
from casemix.errors import FitError
from casemix.modalities.tabular.records import with_given
from casemix.modalities.tabular.sequential.column import Grid

_NOTHING = "(none)"  # the level of a field whose levels are all rare: never learnt, never shown


@dataclass(frozen=True)
class RareValues:
    """Which levels and numbers enough subjects share, and what stands in for the others.

    A level is *rare* where fewer than ``least`` training subjects have it, whatever their number
    of rows; one that nobody has counts as rare. In its place stands a common level: for ordinal
    fields the nearest one, for others one that begins alike (``250.83`` and ``250.82``), drawn by
    share with the row's id. Where no level is common the cell is missing. Numbers beyond what
    ``least`` subjects reach become that bound (top and bottom coding). Numbers within the bounds
    are the generator's to smooth. Lists of codes are left to `casemix.core.code_columns`.

    Args:
        original: the fields as they were given.
        shares: share of the rows of each common level, for every levelled field.
        bounds: smallest and largest number that may be shown; a numeric field that fewer than
            ``least`` subjects have a number for is absent.

    Reference: Hundepool et al., Statistical Disclosure Control, Wiley 2012, ch. 3 and 5.
    """

    original: Schema
    shares: Mapping[str, Mapping[str, float]]
    bounds: Mapping[str, tuple[float, float]]

    @classmethod
    def fit(
        cls,
        frame: pd.DataFrame,
        schema: Schema,
        subjects: pd.Series | np.ndarray,
        *,
        least: int = 5,
    ) -> RareValues:
        """Learn what is common from training rows (n, fields) and whose they are, (n,).

        Raises:
            FitError: fewer than ``least`` subjects.
        """
        owners = pd.factorize(np.asarray(subjects, dtype=object))[0]
        if (found := len(np.unique(owners))) < least:
            raise FitError(
                "With so few subjects every value points to one of them.",
                given=f"{found} subjects",
                allowed=f"at least {least}",
                next_step="Fit on more subjects.",
            )
        shares: dict[str, dict[str, float]] = {}
        bounds: dict[str, tuple[float, float]] = {}
        for f in schema:
            if f.kind in LEVELLED:
                shares[f.name] = _common(frame[f.name], owners, least)
            elif f.kind is Kind.NUMERIC:
                reach = _reach(frame[f.name].to_numpy(dtype=np.float64), owners, least)
                if reach is not None:
                    bounds[f.name] = reach
        return cls(schema, shares, bounds)

    @cached_property
    def schema(self) -> Schema:
        """The fields as a model is to learn them: common levels, and ranges within the bounds."""
        return Schema(tuple(self._field(f) for f in self.original))

    def _field(self, f: Field) -> Field:
        if f.kind is Kind.NUMERIC and f.name in self.bounds:
            return replace(f, range=self.bounds[f.name])
        if f.kind is Kind.BINARY or f.kind not in LEVELLED:
            return f
        levels = tuple(level for level in f.levels if level in self.shares[f.name])
        return replace(f, levels=levels or (_NOTHING,))

    def hide(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the rows without rare values, for training or as conditions.

        Args:
            frame: typed columns, of which those of the schema are changed; the index holds the
                sample ids that draw the stand-ins.
        """
        shown = frame.copy()
        for name in self._known(frame):
            shown[name] = self._hidden(name, frame[name])
        return shown

    def hide_conditions(self, given: Conditions) -> Conditions:
        """Return conditions that a model fitted on hidden rows understands."""
        schema = Schema(tuple(self.schema[f.name] for f in given.schema))
        return Conditions(self.hide(given.rows), schema, given.maps)

    def show(self, frame: pd.DataFrame, asked: Conditions) -> pd.DataFrame:
        """Return generated rows as they may come out: a rare value only where it is asked for."""
        return with_given(self.hide(frame.set_axis(asked.rows.index, axis=0)), asked)

    def rare(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return which cells hold a rare level, or a number beyond the bounds; bool (n, fields)."""
        cells = {name: self._rare(name, frame[name]) for name in self._known(frame)}
        return pd.DataFrame(cells, index=frame.index)

    def _known(self, frame: pd.DataFrame) -> list[str]:
        return [name for name in self.original.names if name in frame]

    def _rare(self, name: str, column: pd.Series) -> np.ndarray:
        known = column.notna().to_numpy()
        if name in self.shares:
            return known & ~column.isin(list(self.shares[name])).to_numpy()
        if name in self.bounds:
            low, high = self.bounds[name]
            return known & ~column.between(low, high).to_numpy()
        return known & (self.original[name].kind is Kind.NUMERIC)

    def _hidden(self, name: str, column: pd.Series) -> pd.Series:
        rare = self._rare(name, column)
        if not rare.any():
            return column
        if name in self.shares:
            ids = [str(i) for i in column.index[rare]]
            u = seeding.uniform(0, ids, 1, stream=f"rare.{name}")[:, 0]
            cells = column.to_numpy(dtype=object, copy=True)
            cells[rare] = [
                self._stand_in(name, level, at) for level, at in zip(cells[rare], u, strict=True)
            ]
            return pd.Series(cells, index=column.index, name=name, dtype=object)
        return column.clip(*self.bounds[name]) if name in self.bounds else column.mask(rare)

    def _stand_in(self, name: str, level: str, u: float) -> str | None:
        near = self._near[name]
        if level not in near:
            near[level] = _alike(self.original[name], level, self.shares[name])
        levels, ladder = near[level]
        return levels[int(np.searchsorted(ladder, u))] if levels else None

    @cached_property
    def _near(self) -> dict[str, dict[str, tuple[list[str], np.ndarray]]]:
        """Stand-ins of the rare levels met so far, with their cumulated shares."""
        return {name: {} for name in self.shares}

    def to_json(self) -> dict[str, Any]:
        """Return the common values as JSON-ready content."""
        return {
            "original": self.original.to_json(),
            "shares": {name: dict(shares) for name, shares in self.shares.items()},
            "bounds": {name: list(bounds) for name, bounds in self.bounds.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RareValues:
        """Rebuild what `to_json` wrote."""
        bounds = {name: (low, high) for name, (low, high) in content["bounds"].items()}
        return cls(Schema.from_json(content["original"]), content["shares"], bounds)


def _common(column: pd.Series, owners: np.ndarray, least: int) -> dict[str, float]:
    """Return the share of the rows of each level that enough subjects have."""
    held = pd.DataFrame({"level": column.to_numpy(), "owner": owners}).dropna()
    subjects = held.drop_duplicates()["level"].value_counts()
    common = subjects.index[subjects >= least]
    rows = held["level"].value_counts()
    return {str(level): float(rows[level] / len(owners)) for level in sorted(common)}


def _reach(values: np.ndarray, owners: np.ndarray, least: int) -> tuple[float, float] | None:
    """Return the bounds that at least so many subjects reach or pass; None with fewer numbers.

    A bound lies midway between the last subject who is needed and the next one inwards, on the
    recorded grid: it is nobody's exact value where the grid is finer than their distance.
    """
    known = ~np.isnan(values)
    by_subject = pd.Series(values[known]).groupby(owners[known])
    low, high = np.sort(by_subject.min().to_numpy()), np.sort(by_subject.max().to_numpy())[::-1]
    if len(low) < least:
        return None
    inner = min(least, len(low) - 1)
    snap = Grid.fit(values[known]).snap
    bottom, top = (
        float(snap(np.array([(side[least - 1] + side[inner]) / 2]))[0]) for side in (low, high)
    )
    return min(bottom, top), max(bottom, top)


def _alike(field: Field, level: str, shares: Mapping[str, float]) -> tuple[list[str], np.ndarray]:
    """Return the common levels nearest to a rare one, and their cumulated shares."""
    if field.kind is Kind.ORDINAL and level in field.levels:
        at = field.levels.index(level)
        nearness = {c: -abs(field.levels.index(c) - at) for c in shares}
    else:
        nearness = {c: _common_beginning(c, level) for c in shares}
    most = max(nearness.values(), default=0)
    nearest = [c for c in shares if nearness[c] == most]
    weights = np.cumsum([shares[c] for c in nearest])
    return nearest, weights / weights[-1] if nearest else weights


def _common_beginning(a: str, b: str) -> int:
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
