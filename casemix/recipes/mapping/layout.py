"""What each column of a table becomes when a synthetic cohort is written in its layout."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from casemix.recipes.mapping.cells import cell_text
from casemix.recipes.mapping.date_columns import resolution
from casemix.recipes.mapping.fields import FieldSpec
from casemix.recipes.mapping.spec import MappingSpec, TableSpec, TabularRecords
from casemix.recipes.mapping.times import dates

_DAY, _SECOND = "%Y-%m-%d", "%Y-%m-%d %H:%M:%S"
_MOST_DECIMALS = 10
_WORD = re.compile(r"[\w./:+-]{1,64}")


@dataclass(frozen=True)
class Column:
    """What a column of the input becomes.

    Args:
        name: the column.
        role: ``field`` (a number or level), ``codes`` (a list of codes), ``date``, ``subject``
            and ``row`` (synthetic ids), or ``empty``.
        source: the field.
        raw: level -> the cell that means it.
        missing: the cell that means *not recorded*; ``""`` leaves it empty.
        decimals: of a number; -1 keeps all.
        scale: ``convert``'s factor, undone.
        offset: ``convert``'s offset, undone.
        split: between the codes of a cell.
        since: another column or an ISO date that a date counts from.
        unit: of the time since it.
        timed: the date is that of the subject's first record, plus the record's time.
        grid: ``d``, ``h``, ``min`` or ``s``, in which the real dates are whole numbers.
        spelling: how its dates are written; ``""`` for real dates.
        first: the first of whole-number ids; 0 for ids of text.
        dtype: the input's type.
        why: why it is empty.
    """

    name: str
    role: Literal["field", "codes", "date", "subject", "row", "empty"]
    source: str = ""
    raw: Mapping[str, str] = field(default_factory=dict)
    missing: str = ""
    decimals: int = -1
    scale: float = 1.0
    offset: float = 0.0
    split: str = ""
    since: str = ""
    unit: str = ""
    timed: bool = False
    grid: str = "s"
    spelling: str = ""
    first: int = 0
    dtype: str = "object"
    why: str = ""


def plan(frame: pd.DataFrame, spec: MappingSpec) -> list[Column]:
    """Return what each column of the input becomes, in the input's order.

    Args:
        frame: the input as its file holds it.
        spec: the mapping of one table that it is read with.
    """
    (table,) = spec.tables.values()
    records = spec.samples["tabular"]
    assert isinstance(records, TabularRecords)
    fields = {**spec.subjects.fields, **records.fields, **records.columns}
    sources = {(f.column or (name,))[0]: name for name, f in reversed(fields.items())}
    planned = []
    for name in map(str, frame.columns):
        if name == spec.subjects.id:
            planned.append(_ids(frame[name], "subject"))
        elif name in sources:
            found = _content(frame[name], sources[name], fields[sources[name]], table)
            clock = records.time is not None and records.time.column == name
            timed = clock and sources[name] in spec.subjects.fields
            planned.append(replace(found, timed=timed))
        else:
            planned.append(_unread(frame[name], name in records.id))
    read = {c.name for c in planned if c.role == "date"}
    lost = [c for c in planned if c.since in frame.columns and c.since not in read]
    why = "dates whose beginning, {}, is not itself learnt"
    gone = {c.name: Column(c.name, "empty", dtype=c.dtype, why=why.format(c.since)) for c in lost}
    return [gone.get(c.name, c) for c in planned]


def to_json(columns: Sequence[Column]) -> dict[str, Any]:
    """Return the plan as JSON-ready content."""
    return {"columns": [asdict(column) for column in columns]}


def from_json(content: Mapping[str, Any]) -> list[Column]:
    """Rebuild what `to_json` wrote."""
    return [Column(**entry) for entry in content["columns"]]


def _ids(cells: pd.Series, role: Literal["subject", "row"]) -> Column:
    """Return ids that no real row has: whole numbers of one more digit, or text with a prefix."""
    numbers = pd.to_numeric(cell_text(cells), errors="coerce")
    digits = len(str(int(numbers.abs().max()))) if numbers.notna().all() else 99
    whole = digits < 18 and bool((numbers % 1 == 0).all())
    first = 10**digits if whole else 0
    return Column(str(cells.name), role, first=first, dtype=str(cells.dtype))


def _unread(cells: pd.Series, is_id: bool) -> Column:
    name, dtype = str(cells.name), str(cells.dtype)
    known = cells.dropna()
    if is_id or (len(known) == len(cells) > 1 and _identifies(known)):
        return _ids(cells, "row")
    why = "no known value" if known.empty else "left out by the mapping"
    return Column(name, "empty", dtype=dtype, why=why)


def _identifies(cells: pd.Series) -> bool:
    """Return whether cells are all different and single words or whole numbers."""
    if pd.api.types.is_integer_dtype(cells):
        return cells.is_unique
    texts = all(isinstance(cell, str) and _WORD.fullmatch(cell) for cell in cells)
    return texts and cells.is_unique


def _content(cells: pd.Series, source: str, spec: FieldSpec, table: TableSpec) -> Column:
    name, dtype = str(cells.name), str(cells.dtype)
    if spec.contains or spec.until or len(spec.column) > 1 or spec.codes:
        why = f"only what the field '{source}' takes from it was learnt"
        return Column(name, "empty", dtype=dtype, why=why)
    if spec.since:
        real = pd.api.types.is_datetime64_any_dtype(cells)
        spelling = table.dates.get(name, "")
        plain_iso = _SECOND if spec.unit != "d" else _DAY
        spelt = "" if real else plain_iso if spelling in ("", "ISO8601") else spelling
        found = dates(cells, name, "" if real else spelling, invalid="missing")
        return Column(
            name,
            "date",
            source,
            since=spec.since,
            unit=spec.unit,
            grid=resolution(found),
            spelling=spelt,
            dtype=dtype,
        )
    if spec.kind == "codes":
        return Column(name, "codes", source, split=spec.split, dtype=dtype)
    missing = _usual_missing(cells, spec)
    if spec.kind == "numeric":
        convert = spec.convert
        return Column(
            name,
            "field",
            source,
            missing=missing,
            decimals=_decimals(cells),
            scale=convert.scale if convert else 1.0,
            offset=convert.offset if convert else 0.0,
            dtype=dtype,
        )
    counts = cell_text(cells).str.strip().value_counts()
    raw: dict[str, str] = {}
    for cell in sorted(spec.meaning, key=lambda cell: -counts.get(cell, 0)):
        raw.setdefault(spec.meaning[cell], cell)
    return Column(name, "field", source, raw=raw, missing=missing, dtype=dtype)


def _usual_missing(cells: pd.Series, spec: FieldSpec) -> str:
    """Return the most frequent cell that means *not recorded*; ``""`` for an empty one."""
    counts = cell_text(cells).str.strip().value_counts()
    coded = {cell.text: int(counts.get(cell.text, 0)) for cell in spec.missing}
    usual = max(coded, key=lambda text: coded[text], default="")
    return usual if usual and coded[usual] > int(cells.isna().sum()) else ""


def _decimals(cells: pd.Series) -> int:
    """Return how many decimals the numbers of a column have, -1 for more than ten."""
    text = pd.Series(cell_text(cells).dropna().unique(), dtype=object).str.strip()
    numbers = pd.to_numeric(text, errors="coerce")
    text = text[np.isfinite(numbers)]
    if text.empty:
        return -1
    if text.str.contains("e", case=False).any():
        return -1
    decimals = int(text.str.partition(".")[2].str.rstrip("0").str.len().max())
    return decimals if decimals <= _MOST_DECIMALS else -1
