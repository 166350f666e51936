"""A table of wanted patients: per row what each must be, exactly or within bounds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from casemix.core.fields import Field, Kind, Schema
from casemix.errors import ConditionError, did_you_mean

_BOUND = re.compile(r"(>=|<=|!=|>|<)\s*(.+)")
_HELP = "Write a value, a bound such as >70, a span such as 60..70, a|b for either, or nothing."


@dataclass(frozen=True)
class Wanted:
    """Rows that are wanted.

    Args:
        cells: the values asked for outright, one row per patient; typed, missing = not asked for.
        where: per row an expression of everything else, ``""`` where there is nothing else.
    """

    cells: pd.DataFrame
    where: tuple[str, ...]


def read_wanted(path: Path, schema: Schema) -> Wanted:
    """Read a CSV file whose columns are fields.

    Cells: a value (``F``, ``63.5``), a bound (``>70``, ``<=2``, ``!=smoker``), a span with both
    ends (``60..70``), one of several (``I|II``), codes that must be there (``I21;E11``), or
    nothing for whatever comes.

    Args:
        path: the file.
        schema: the fields that may be asked for.

    Raises:
        ConditionError: an unknown field, or a cell that does not fit its field.
    """
    text = pd.read_csv(path, dtype=str, keep_default_na=False)
    for name in text.columns:
        if name not in schema:
            raise ConditionError(
                f"{path} asks for an unknown field '{name}'.",
                allowed=schema.names,
                next_step=did_you_mean(str(name), schema.names),
            )
    if text.empty:
        raise ConditionError(f"{path} asks for no patient.", next_step="Write one row per patient.")
    asked = schema.pick(map(str, text.columns))
    cells = asked.empty(text.index)
    where: list[list[str]] = [[] for _ in range(len(text))]
    for f in asked:
        column = [cell.strip() for cell in text[f.name]]
        cells[f.name] = [cell if _is_value(cell, f) else None for cell in column]
        for row, cell in enumerate(column):
            if cell and not _is_value(cell, f):
                where[row].append(_condition(cell, f))
    return Wanted(asked.coerce(cells), tuple(" and ".join(parts) for parts in where))


def _is_value(cell: str, f: Field) -> bool:
    if f.kind is Kind.NUMERIC:
        return _is_number(cell)
    return cell in f.levels


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _condition(cell: str, f: Field) -> str:
    """Return a cell that is no value as an expression."""
    if f.kind is Kind.CODES:
        return " and ".join(f"{code.strip()!r} in {f.name}" for code in cell.split(";"))
    bound = _BOUND.fullmatch(cell)
    if bound:
        return f"{f.name} {bound[1]} {_constant(bound[2], f)}"
    low, span, high = cell.partition("..")
    if span and f.kind is Kind.NUMERIC:
        return f"{_constant(low, f)} <= {f.name} <= {_constant(high, f)}"
    options = [_constant(part, f) for part in cell.split("|")]
    return f"{f.name} in [{', '.join(options)}]"


def _constant(text: str, f: Field) -> str:
    value = text.strip()
    if not _is_value(value, f):
        raise ConditionError(
            f"A cell of '{f.name}' cannot be read.",
            given=text,
            allowed=f.levels or "a number",
            next_step=_HELP,
        )
    return value if f.kind is Kind.NUMERIC else repr(value)
