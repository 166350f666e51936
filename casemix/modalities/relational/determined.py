"""Columns that another column determines: a price by its code, a service by the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from casemix.core.fields import LEVELLED, Schema

_LEAST = 5  # subjects who have a level
_CHANCE = 0.01  # that rows of one level agree although it determines nothing
_NOTHING = "(missing)"


@dataclass(frozen=True)
class Determined:
    """One column whose cell follows from some levels of another one.

    Args:
        target: the column.
        source: the column that says what it is, of the same row or of what it is drawn given.
        cells: level of the source (``(missing)`` for none) -> the cell, None where missing. Five
            subjects at least have the level, and all rows with it agree.
    """

    target: str
    source: str
    cells: Mapping[str, Any]

    def apply(self, source: pd.Series, target: pd.Series) -> np.ndarray:
        """Return the target's cells (n,) with those that the source (n,) determines."""
        levels = _levels(source)
        told = levels.isin(list(self.cells)).to_numpy()
        said = np.array([self.cells.get(level) for level in levels], dtype=object)
        cells = np.where(told, said, target.to_numpy(dtype=object))
        return pd.Series(cells).astype(target.dtype).to_numpy()

    def to_json(self) -> dict[str, Any]:
        """Return the column as JSON-ready content."""
        return {"target": self.target, "source": self.source, "cells": dict(self.cells)}


def find(
    rows: pd.DataFrame,
    schema: Schema,
    given: pd.DataFrame,
    given_schema: Schema,
    owners: np.ndarray,
) -> tuple[Determined, ...]:
    """Return the columns that another one determines, in the order in which they are settled.

    Of several sources the one that settles most rows is taken. Within a row, columns of many levels
    come before those of few, and numbers last: a source is settled before what follows from it.

    Args:
        rows: n training rows.
        schema: their columns.
        given: what they are drawn given, n rows.
        given_schema: its fields.
        owners: the subject of each row, (n,).
    """
    own = {f.name: _levels(rows[f.name]) for f in schema if f.kind in LEVELLED}
    order = sorted(schema, key=lambda f: (f.kind not in LEVELLED, -len(f.levels)))
    known = {f.name: _levels(given[f.name]) for f in given_schema if f.kind in LEVELLED}
    found = []
    for place, f in enumerate(order):
        before = {e.name: own[e.name] for e in order[:place] if e.name in own}
        best: tuple[int, Determined] | None = None
        for source, levels in (known | before).items():
            settled, cells = _told(levels, rows[f.name], owners)
            if settled and (best is None or settled > best[0]):
                best = settled, Determined(f.name, source, cells)
        if best is not None:
            found.append(best[1])
    return tuple(found)


def settle(found: tuple[Determined, ...], rows: pd.DataFrame, given: pd.DataFrame) -> pd.DataFrame:
    """Return drawn rows in which determined cells follow their sources, row by row."""
    rows = rows.copy()
    for column in found:
        source = rows[column.source] if column.source in rows else given[column.source]
        rows[column.target] = column.apply(source, rows[column.target])
    return rows


def _levels(column: pd.Series) -> pd.Series:
    return column.astype(object).where(column.notna().to_numpy(), _NOTHING)


def _told(levels: pd.Series, target: pd.Series, owners: np.ndarray) -> tuple[int, dict[str, Any]]:
    """Return how many rows a source settles, and what its levels say."""
    codes = pd.factorize(target)[0]  # -1 where missing
    usual = float(pd.Series(codes).value_counts(normalize=True).max()) if len(codes) else 1.0
    if usual == 1.0:
        return 0, {}
    cells = pd.DataFrame({"level": levels.to_numpy(), "code": codes, "owner": owners})
    cells["place"] = np.arange(len(cells))
    by = cells.groupby("level").agg(
        rows=("code", "size"),
        first=("code", "min"),
        last=("code", "max"),
        subjects=("owner", "nunique"),
        place=("place", "first"),
    )
    sure = (by["first"] == by["last"]) & (by["subjects"] >= _LEAST)
    told = by[sure & (usual ** by["rows"] < _CHANCE)]
    values = target.to_numpy(dtype=object)
    said = {
        str(level): None if pd.isna(values[place]) else values[place]
        for level, place in told["place"].items()
    }
    return int(told["rows"].sum()), said
