"""The tables of a mapping: read, filtered and joined, once each."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from casemix.core import expressions
from casemix.core.fields import Field, Kind, Schema
from casemix.errors import ConditionError, did_you_mean
from casemix.recipes.mapping.cells import cell_text, joined_keys
from casemix.recipes.mapping.files import read_table
from casemix.recipes.mapping.parse import problem
from casemix.recipes.mapping.report import Ledger
from casemix.recipes.mapping.spec import JoinSpec, TableSpec
from casemix.recipes.mapping.times import dates

#: Between the parts of a key; no cell of a table of text or numbers holds it.
_SEPARATOR = "\x1f"


@dataclass(frozen=True)
class Tables:
    """The tables that a mapping names, read when they are first needed.

    Args:
        root: the folder that file names start from.
        specs: table name -> what to read.
        ledger: where rows that are left out are noted.
    """

    root: Path
    specs: Mapping[str, TableSpec]
    ledger: Ledger
    _ready: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    _open: list[str] = field(default_factory=list, repr=False)

    def __getitem__(self, name: str) -> pd.DataFrame:
        """Return a table's rows, filtered and joined, with a fresh index.

        Raises:
            MappingError: the file or a column is missing, or joins run in a circle.
        """
        if name in self._open:
            raise problem(f"tables.{name}.join", "these joins run in a circle.", given=self._open)
        if name not in self._ready:
            self._open.append(name)
            self._ready[name] = self._build(name)
            self._open.remove(name)
        return self._ready[name]

    def _build(self, name: str) -> pd.DataFrame:
        spec, place = self.specs[name], f"tables.{name}"
        frame = read_table(self.root, spec, f"{place}.file")
        if spec.number_rows:
            frame[spec.number_rows] = [f"{i:07d}" for i in range(len(frame))]
        for written, spelling in spec.dates.items():
            where = f"{place}.dates.{written}"
            cells = column(frame, written, where)
            frame[written] = dates(cells, where, spelling, invalid=spec.invalid_dates)
            self._note_lost(cells, frame[written], where)
        for i, other in enumerate(spec.join):
            frame = _joined(frame, self[other.table], other, f"{place}.join.{i}")
        return _filtered(frame, spec, place, self.ledger)

    def _note_lost(self, cells: pd.Series, read: pd.Series, place: str) -> None:
        lost = cells[read.isna() & cells.notna()]
        if len(lost):
            some = ", ".join(str(cell) for cell in lost.unique()[:5])
            self.ledger.notes.append(
                f"{place}: {len(lost)} of {int(cells.notna().sum())} cells are not dates of the "
                f"years 1678 to 2261 ({some}): set to missing"
            )


def column(frame: pd.DataFrame, name: str, place: str) -> pd.Series:
    """Return a column of a table.

    Raises:
        MappingError: there is no such column; says which there are.
    """
    if name not in frame.columns:
        raise problem(
            place,
            f"there is no column '{name}'.",
            allowed=list(frame.columns),
            next_step=did_you_mean(name, map(str, frame.columns)),
        )
    return frame[name]


def comparable(cells: pd.Series) -> pd.Series:
    """Return a column that sorts: dates, float64 where every known cell is a number, or text."""
    if pd.api.types.is_datetime64_any_dtype(cells):
        return cells
    if pd.api.types.is_bool_dtype(cells):
        return cell_text(cells)
    plain_cells = cells.astype(object) if isinstance(cells.dtype, pd.CategoricalDtype) else cells
    numbers = pd.to_numeric(plain_cells, errors="coerce")
    if (numbers.isna() == cells.isna()).all():
        values = numbers.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
        return pd.Series(values, index=cells.index)
    return cell_text(cells)


def _filtered(frame: pd.DataFrame, spec: TableSpec, place: str, ledger: Ledger) -> pd.DataFrame:
    for i, name in enumerate(spec.require):
        known = column(frame, name, f"{place}.require.{i}").notna().to_numpy()
        ledger.drop(f"{place}.require", (~known).sum(), len(frame), f"no {name}")
        frame = frame[known]
    if spec.where:
        holds = _holds(frame, spec.where, f"{place}.where")
        ledger.drop(f"{place}.where", (~holds).sum(), len(frame), f"not ({spec.where})")
        frame = frame[holds]
    for name, patterns in spec.match.items():
        texts = column(frame, name, f"{place}.match.{name}")
        holds = matching(texts, patterns)
        ledger.drop(f"{place}.match", (~holds).sum(), len(frame), f"{name} matches nothing named")
        frame = frame[holds]
    if spec.order_by:
        key = comparable(column(frame, spec.order_by, f"{place}.order_by"))
        frame = frame.loc[key.sort_values(kind="stable").index]
    if spec.distinct:
        keys = {n: cell_text(column(frame, n, f"{place}.distinct")) for n in spec.distinct}
        first = ~pd.DataFrame(keys).duplicated().to_numpy()
        reason = f"{' and '.join(spec.distinct)} as in an earlier row"
        ledger.drop(f"{place}.distinct", (~first).sum(), len(frame), reason)
        frame = frame[first]
    if frame.empty:
        raise problem(place, "no row is left.", next_step="Check where, match and require.")
    return frame.reset_index(drop=True)


def matching(cells: pd.Series, patterns: Iterable[str]) -> np.ndarray:
    """Return which cells match one of the patterns, bool (n,); ``*`` stands for any text."""
    alternatives = "|".join(".*".join(map(re.escape, p.split("*"))) for p in patterns)
    fits = re.compile(alternatives, re.DOTALL).fullmatch
    positions, found = pd.factorize(cell_text(cells))
    hits = np.array([*(fits(text) is not None for text in found), False], dtype=bool)
    return hits[positions]


def _holds(frame: pd.DataFrame, expression: str, place: str) -> np.ndarray:
    """Evaluate a filter by the same safe grammar as conditions: it is never run as code."""
    columns = {name: _operand(frame[name]) for name in _names(expression) if name in frame}
    schema = Schema(tuple(_field(name, cells) for name, cells in columns.items()))
    try:
        return expressions.evaluate(expression, pd.DataFrame(columns, frame.index), schema)
    except ConditionError as error:
        raise problem(
            place,
            error.what,
            given=error.given,
            allowed=error.allowed or list(frame.columns),
            next_step=error.next_step,
        ) from error


def _operand(cells: pd.Series) -> pd.Series:
    ready = comparable(cells)
    return ready if pd.api.types.is_float_dtype(ready) else cell_text(ready)


def _names(expression: str) -> list[str]:
    try:
        tree = ast.parse(expression, mode="eval")
    except (SyntaxError, ValueError):
        return []  # the evaluation explains it
    return sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})


def _field(name: str, cells: pd.Series) -> Field:
    if pd.api.types.is_float_dtype(cells):
        return Field(name, Kind.NUMERIC)
    levels = sorted(cell_text(cells).dropna().unique())
    return Field(name, Kind.CATEGORICAL, levels=tuple(levels))


def _joined(left: pd.DataFrame, right: pd.DataFrame, spec: JoinSpec, place: str) -> pd.DataFrame:
    keys = _key(right, spec.on, place)
    right, keys = right[keys.notna()], keys.dropna()
    repeated = keys.duplicated()
    if repeated.any() and spec.repeated == "error":
        raise problem(
            place,
            f"the table '{spec.table}' has a key several times.",
            given=[key.replace(_SEPARATOR, ", ") for key in keys[repeated].unique()[:5]],
            next_step="Make its rows distinct, or say 'repeated: first'.",
        )
    taken = {new: column(right, old, f"{place}.columns") for new, old in spec.columns.items()}
    clash = [name for name in taken if name in left.columns]
    if clash:
        raise problem(f"{place}.columns", "the table has such a column already.", given=clash)
    other = pd.DataFrame(taken)[~repeated.to_numpy()]
    other.index = pd.Index(keys[~repeated])
    found = other.reindex(pd.Index(_key(left, spec.on, place)))
    found.index = left.index
    return pd.concat([left, found], axis=1)


def _key(frame: pd.DataFrame, names: tuple[str, ...], place: str) -> pd.Series:
    """Return the key of each row as one text; missing where a part is missing."""
    parts = [cell_text(column(frame, name, f"{place}.on")) for name in names]
    return joined_keys(parts, _SEPARATOR)
