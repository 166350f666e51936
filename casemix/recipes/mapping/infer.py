"""A first mapping for one table of unknown columns, for a person to correct."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from casemix.errors import MappingError
from casemix.recipes.mapping.cells import cell_text

ROW = "row_number"
_MOST_LEVELS = 50  # text columns with more are identifiers or free text, and are left out
_FEW_NUMBERS = 3  # number columns with at most this many values are codes
_MISSING = frozenset({"?", "na", "n/a", "nan", "null", "none", "unknown", "-"})
_RESERVED = frozenset({"subject_id", "sample_id", "time", "split_group", "and", "or", "not", "in"})
_HEADER = """\
# Inferred from the table's cells: kinds, levels and ranges are guesses, and no unit is known.
# Correct them and give this file instead, e.g. with --set mapping=FILE; docs/import.md explains
# every key. Columns that were left out: {left_out}.
"""


def infer_mapping(frame: pd.DataFrame, *, file: str, subject: str = "") -> str:
    """Return a mapping as YAML text: one tabular record per row, kinds inferred.

    Numbers become numeric fields with the range that they have, texts of at most 50 levels
    categorical ones, two values binary ones. Dates, identifiers, free text and empty columns are
    left out, and named in a comment.

    Args:
        frame: the table.
        file: its file's name.
        subject: the column that names the subject; by default each row is a subject of its own.

    Raises:
        MappingError: no row, no usable column, or no such subject column.
    """
    names = list(map(str, frame.columns))
    if subject and subject not in names:
        raise MappingError("There is no such subject column.", given=subject, allowed=names)
    columns: dict[str, Any] = {}
    left_out = []
    for column in names:
        found = None if column == subject else infer_field(frame[column])
        if found is None:
            left_out += [column] if column != subject else []
            continue
        name = _name(column, columns)
        columns[name] = found if name == column else {**found, "column": column}
    if frame.empty or not columns:
        raise MappingError(
            "The table has no usable column.",
            given=f"{len(frame)} rows; columns {', '.join(names)}",
            next_step="Write a mapping: see docs/import.md.",
        )
    key = subject or ROW
    content = {
        "about": {"name": Path(file).stem, "source": file, "licence": "not stated"},
        "tables": {"records": {"file": file, "number_rows": ROW}},
        "subjects": {"table": "records", "id": key, "repeated": "first", "fields": {}},
        "samples": {"tabular": {"table": "records", "subject": key, "id": ROW, "columns": columns}},
    }
    header = _HEADER.format(left_out=", ".join(left_out) or "none")
    return header + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def infer_field(column: pd.Series) -> dict[str, Any] | None:
    """Return a field's block of what a column seems to be, or None where it cannot be learnt."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return None
    text = cell_text(column).dropna().astype(str).str.strip()
    sentinel = text.str.lower().isin(_MISSING) | (text == "")
    missing = sorted(set(text[sentinel]) - {""})
    about: dict[str, Any] = {"missing": missing} if missing else {}
    text = text[~sentinel]
    if text.empty:
        return None
    numbers = pd.to_numeric(text, errors="coerce")
    boolean = pd.api.types.is_bool_dtype(column)
    if numbers.notna().all() and not boolean and numbers.nunique() > _FEW_NUMBERS:
        whole = bool((numbers % 1 == 0).all())
        if whole and numbers.is_unique and len(numbers) > _MOST_LEVELS:
            return None  # an identifier
        bounds = [_plain(numbers.min()), _plain(numbers.max())]
        return {"kind": "numeric", "range": bounds, **about}
    levels = sorted(set(text), key=_order)
    if len(levels) > _MOST_LEVELS:
        return None
    kind = "binary" if len(levels) == 2 else "categorical"
    return {"kind": kind, "levels": levels, **about}


def _order(level: str) -> tuple[int, float, str]:
    number = pd.to_numeric(level, errors="coerce")
    return (1, 0.0, level) if pd.isna(number) else (0, float(number), level)


def _plain(number: float) -> int | float:
    return int(number) if float(number).is_integer() else float(number)


def _name(column: str, taken: dict[str, Any]) -> str:
    """Return a field name for a column: lower-case letters, digits and _, not yet taken."""
    name = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_") or "column"
    name = name if name[0].isalpha() and name not in _RESERVED else f"column_{name}"
    number, whole = 2, name
    while whole in taken:
        number, whole = number + 1, f"{name}_{number}"
    return whole
