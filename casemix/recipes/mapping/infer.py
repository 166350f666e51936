"""A first mapping for one table of unknown columns, for a person to correct."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from casemix.errors import MappingError
from casemix.recipes.mapping.cells import cell_text
from casemix.recipes.mapping.column_kind import Guess, guess_column
from casemix.recipes.mapping.date_columns import ISO, Dates, counted, read_dates
from casemix.recipes.mapping.mapping_text import mapping_text
from casemix.recipes.mapping.rows_of_subjects import row_clock, steady_columns, subject_column
from casemix.recipes.mapping.spec import TableSpec

ROW = "row_number"
_FEW_DATES = 5  # a column of fewer known dates is left out
_RESERVED = frozenset({"subject_id", "sample_id", "time", "split_group", "and", "or", "not", "in"})


@dataclass(frozen=True)
class Inferred:
    """A mapping of one table, and why it is so.

    Args:
        text: the mapping as YAML, with the reasons as comments.
        reasons: column -> what it seems to be, or why it is left out.
    """

    text: str
    reasons: Mapping[str, str] = field(default_factory=dict)


def infer_mapping(
    frame: pd.DataFrame, *, file: str, subject: str = "", written: TableSpec | None = None
) -> Inferred:
    """Return a mapping of a table: one tabular record per row, kinds inferred.

    Numbers become numeric fields with the range that they have, rounded outwards; texts of at
    most 50 levels categorical ones (ordinal where the levels have an order), those of more
    levels keep the levels of at least 5 subjects; two values are binary; dates become the time
    since another date of the row, or since the table's first year. Where a subject has several
    rows, columns that are the same in all of them become the subject's context. Identifiers,
    free text and empty columns are left out, and named in a comment with the reason.

    Args:
        frame: the table.
        file: its file's name.
        subject: the column that names the subject; ``""`` looks for one by name, and ``"none"``
            makes each row a subject of its own.
        written: how the file is written, where it is a CSV.

    Raises:
        MappingError: no row, no usable column, or no such subject column.
    """
    if frame.empty:
        columns = ", ".join(map(str, frame.columns))
        raise MappingError("The table has no row.", given=f"the columns {columns}")
    key, why = subject_column(frame, subject)
    owners = cell_text(frame[key]) if key else None
    steady = steady_columns(frame, owners, but=key) if owners is not None else []
    content_columns = frame.drop(columns=[key] if key else [])
    dates = _dates(content_columns)
    clock = row_clock(dates, owners, steady)
    guesses = _guesses(content_columns, owners, dates, [*steady, clock])
    usable = [name for name, guess in guesses.items() if guess.block is not None]
    if not usable:
        raise MappingError(
            "The table has no usable column.",
            given=[f"{name}: {guess.reason}" for name, guess in guesses.items()],
            next_step="Write a mapping: see docs/import.md.",
        )
    steady = steady if len(set(usable) - set(steady)) else []
    clock = clock if set(usable) - {*steady, clock} else ""
    guesses |= {clock: _first(guesses[clock])} if clock else {}
    fields = _named(guesses, set(usable), clock)
    context = {n: b for n, b in fields.items() if b["column"] in {*steady, clock}}
    table = _table(file, frame, written, dates, clock)
    content = _content(table, key, clock)
    text = mapping_text(content, context, fields, guesses, file=file, subject=why)
    return Inferred(text, {name: guess.reason for name, guess in guesses.items()})


def infer_field(column: pd.Series) -> dict[str, Any] | None:
    """Return a field's block of what a column seems to be, or None where it cannot be learnt.

    Dates are left out here: they need the other columns, see `infer_mapping`.
    """
    return None if read_dates(column) is not None else guess_column(column).block


def _dates(frame: pd.DataFrame) -> dict[str, Dates]:
    """Return the columns that hold dates, and how they are written."""
    found: dict[str, Dates] = {}
    for name in map(str, frame.columns):
        read = read_dates(frame[name])
        if read is not None and read.values.notna().sum() < _FEW_DATES and not read.problem:
            read = replace(read, problem=f"fewer than {_FEW_DATES} are known")
        found |= {name: read} if read is not None else {}
    return found


def _guesses(
    frame: pd.DataFrame,
    owners: pd.Series | None,
    dates: Mapping[str, Dates],
    context: list[str],
) -> dict[str, Guess]:
    """Return what each column seems to be."""
    usable = {name: found.values for name, found in dates.items() if not found.problem}
    since = counted(usable, [name for name in usable if name in context])
    guesses = {}
    for name in map(str, frame.columns):
        if name in since:
            lost = dates[name].unread
            note = f"; cells that are no such date become missing ({', '.join(lost)})"
            guesses[name] = Guess(since[name].block, since[name].reason + (note if lost else ""))
        elif name in dates:
            guesses[name] = Guess(None, f"dates: {dates[name].problem}")
        else:
            guesses[name] = guess_column(frame[name], owners=owners)
    return guesses


def _first(guess: Guess) -> Guess:
    """Return the guess about the date of a subject's first row; the others are hours after it."""
    return Guess(guess.block, f"orders the rows of a subject; of the first: {guess.reason}")


def _named(guesses: Mapping[str, Guess], usable: set[str], clock: str) -> dict[str, dict[str, Any]]:
    fields: dict[str, dict[str, Any]] = {}
    for column, guess in guesses.items():
        if column in usable and guess.block is not None:
            name = f"first {column}" if column == clock else column
            fields[_name(name, fields)] = {**guess.block, "column": column}
    return fields


def _table(
    file: str,
    frame: pd.DataFrame,
    written: TableSpec | None,
    dates: Mapping[str, Dates],
    clock: str,
) -> dict[str, Any]:
    """Return the table's block."""
    row = next(name for i in range(len(frame.columns) + 1) if (name := ROW + i * "_") not in frame)
    table: dict[str, Any] = {"file": file, "number_rows": row}
    for name in ("separator", "decimal", "encoding"):
        if written is not None and getattr(written, name) != getattr(TableSpec(""), name):
            table[name] = getattr(written, name)
    if not all(found.problem for found in dates.values()):
        table["dates"] = {n: d.spelling or ISO for n, d in dates.items() if not d.problem}
        table["invalid_dates"] = "missing"
    return table | ({"order_by": clock} if clock else {})


def _content(table: Mapping[str, Any], key: str, clock: str) -> dict[str, Any]:
    """Return the mapping but for its fields."""
    file, row = table["file"], table["number_rows"]
    records: dict[str, Any] = {"table": "records", "subject": key or row, "id": row}
    if clock:
        records["time"] = {"column": clock, "unit": "date", "since": "first_record"}
    return {
        "about": {"name": Path(file).stem, "source": file, "licence": "not stated"},
        "tables": {"records": dict(table)},
        "subjects": {"table": "records", "id": key or row, "repeated": "first"},
        "samples": {"tabular": records},
    }


def _name(column: str, taken: Mapping[str, Any]) -> str:
    """Return a field name for a column: lower-case letters, digits and _, not yet taken."""
    plain = unicodedata.normalize("NFKD", column).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_") or "column"
    name = name if name[0].isalpha() and name not in _RESERVED else f"column_{name}"
    number, whole = 2, name
    while whole in taken:
        number, whole = number + 1, f"{name}_{number}"
    return whole
