"""Columns of dates: how they are written, and from which other date each is best counted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from casemix.errors import MappingError
from casemix.recipes.mapping.cells import cell_text
from casemix.recipes.mapping.column_kind import MISSING, rounded_range
from casemix.recipes.mapping.times import HOURS, within_calendar

ISO = "ISO8601"
_DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", "T%H:%M", "T%H:%M:%S", "T%H:%M:%SZ")
_SPELLINGS = (
    *(day + time for day in _DAYS for time in _TIMES),
    "%d-%b-%Y",
    "%d-%b-%Y %H:%M",
    "%d %b %Y",
    "%H:%M",
    "%H:%M:%S",
    ISO,
)
_COMPACT = "%Y%m%d"
_LOOKS = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}.*|"
    r"\d{1,2}[- ][A-Za-z]{3}[- ]\d{4}.*|\d{1,2}:\d{2}(:\d{2})?"
)
_DATE_WORDS = re.compile(r"date|datum|day|dt|dob|birth|time", re.IGNORECASE)
_LOOKING = 0.95  # share of the known cells that must look like dates
_READ = 0.5  # share that must be dates (others are 30 February, 9999-12-31 ...)
_REFERENCE_KNOWN = 0.99
_ORDERED = 0.5  # a fixed order of two dates counts as much as a spread three times smaller


@dataclass(frozen=True)
class Dates:
    """A column of dates.

    Args:
        values: datetime64, NaT where missing or not a date.
        spelling: as in ``strptime``; ``""`` where the table holds real dates.
        unread: cells that look like dates and are none, or lie outside 1678 to 2261.
        problem: why the column cannot be read, or ``""``.
    """

    values: pd.Series
    spelling: str
    unread: tuple[str, ...] = ()
    problem: str = ""


def read_dates(column: pd.Series) -> Dates | None:
    """Return a column as dates, or None where it holds something else."""
    if pd.api.types.is_datetime64_any_dtype(column):
        values = within_calendar(column)
        lost = column[values.isna() & column.notna()]
        return Dates(values, "", _examples(lost))
    if pd.api.types.is_numeric_dtype(column) and not _compact(column):
        return None
    try:
        text = cell_text(column).dropna().str.strip()
    except MappingError:
        return None
    text = text[~(text.str.lower().isin(MISSING) | (text == ""))]
    if text.empty or not (_compact(column) or _looks(text)):
        return None
    return _spelt(column, text, (_COMPACT,) if _compact(column) else _SPELLINGS)


def _looks(text: pd.Series) -> bool:
    levels = text.value_counts()
    hits = [_LOOKS.fullmatch(level) is not None for level in levels.index]
    return bool(levels[hits].sum() >= _LOOKING * len(text))


def _compact(column: pd.Series) -> bool:
    """Return whether a column named for dates holds numbers such as 20240131."""
    if not _DATE_WORDS.search(str(column.name or "")):
        return False
    numbers = pd.to_numeric(column, errors="coerce").dropna()
    whole = len(numbers) > 0 and bool((numbers % 1 == 0).all())
    return whole and bool(numbers.between(1000_01_01, 2999_12_31).all())


def _spelt(column: pd.Series, text: pd.Series, spellings: Sequence[str]) -> Dates | None:
    levels = pd.Series(text.unique())
    tried = levels.sample(min(len(levels), 500), random_state=0)
    reads = {s: float(_parsed(tried, s).notna().mean()) for s in spellings}
    best = max(reads.values())
    if best < _READ:
        return None
    winners = [s for s in spellings if reads[s] == best and s != ISO] or [ISO]
    values = pd.Series(pd.NaT, index=column.index, dtype="datetime64[us]")
    if len(winners) > 1 and _conflict(tried, winners):
        why = f"day and month cannot be told apart: {' or '.join(winners[:2])}?"
        return Dates(values, winners[0], (), why)
    found = dict(zip(levels, within_calendar(_parsed(levels, winners[0])), strict=True))
    values[text.index] = text.map(found)
    return Dates(values, winners[0], _examples(text[values[text.index].isna()]))


def _parsed(text: pd.Series, spelling: str) -> pd.Series:
    parsed = pd.to_datetime(text, format=spelling, errors="coerce", utc=spelling == ISO)
    return parsed.dt.tz_localize(None) if spelling == ISO else parsed


def _conflict(text: pd.Series, spellings: Sequence[str]) -> bool:
    first, *others = [_parsed(text, s) for s in spellings]
    return any(not first.equals(other) for other in others)


def _examples(cells: pd.Series) -> tuple[str, ...]:
    return tuple(str(cell) for cell in cells.unique()[:5]) if len(cells) else ()


def has_day(spelling: str) -> bool:
    """Return whether a spelling says the day, not only the time of day."""
    return not spelling or spelling == ISO or "%d" in spelling


@dataclass(frozen=True)
class Counted:
    """How a date column becomes a number.

    Args:
        block: the field's block.
        reason: why so.
    """

    block: dict[str, Any]
    reason: str


def counted(columns: dict[str, pd.Series], context: Sequence[str] = ()) -> dict[str, Counted]:
    """Return for each date column the date from which it is counted, unit and range.

    A column is counted from another one of the same row if that is always known with it and
    the times between them vary less than the dates themselves; one that it never comes after,
    or never before, is preferred, so that their order holds by the range alone. The others are
    counted from the first of January of their first year.

    Args:
        columns: name -> datetime64 of the same rows.
        context: those that are the same in all rows of a subject; they are counted only from
            each other.
    """
    done: dict[str, Counted] = {}
    for name in sorted(by_rank(columns), key=lambda name: name not in context):
        done[name] = _count(name, columns, list(done))
    return {name: done[name] for name in columns}


def by_rank(columns: Mapping[str, pd.Series]) -> list[str]:
    """Return date columns in the order in which they serve as a beginning for others.

    Those that are known most often come first; of these the ones that vary least by the order
    of magnitude, so that admissions come before births; of these the earliest.
    """

    def rank(name: str) -> tuple[int, int, float]:
        values = columns[name]
        known = int(20 * values.notna().mean())
        seconds = (values - pd.Timestamp(0)).dt.total_seconds()
        return -known, round(_spread(values - values.min())), float(seconds.median())

    return sorted(columns, key=rank)


def _count(name: str, columns: dict[str, pd.Series], placed: Sequence[str]) -> Counted:
    values = columns[name]
    origin = pd.Timestamp(year=int(values.min().year), month=1, day=1)
    unit = resolution(values)
    best = (_spread(values - origin), str(origin.date()), "", unit)
    for other in placed:
        if _time_of_day(values) or _time_of_day(columns[other]):
            continue
        gap = (values - columns[other])[values.notna()]
        if gap.notna().mean() < _REFERENCE_KNOWN:
            continue
        order = _order(gap.dropna())
        finer = min(unit, resolution(columns[other]), key=lambda u: HOURS[u])
        choice = (_spread(gap) - (_ORDERED if order else 0), other, order, finer)
        best = min(best, choice, key=lambda c: c[0])
    _, since, order, unit = best
    start = columns.get(since, origin)
    numbers = (values - start).dt.total_seconds().dropna() / 3600 / HOURS[unit]
    block = {"kind": "numeric", "unit": unit, "since": since, "range": rounded_range(numbers)}
    where = f"time since {since}" + (f" (never {order} it)" if order else "")
    return Counted(block, f"dates, learnt as {where}")


def _order(gap: pd.Series) -> str:
    """Return ``before`` or ``after``, which these gaps never are, or ``""``."""
    if (gap >= pd.Timedelta(0)).all():
        return "before"
    return "after" if (gap <= pd.Timedelta(0)).all() else ""


def _time_of_day(values: pd.Series) -> bool:
    """Return whether a column was read by a spelling without a day."""
    return bool((values.dropna().dt.normalize() == pd.Timestamp(1900, 1, 1)).all())


def _spread(gaps: pd.Series) -> float:
    """Return the decimal logarithm of the middle 90 % of gaps in hours, to one decimal."""
    hours = gaps.dropna().dt.total_seconds() / 3600
    width = float(np.subtract(*np.quantile(hours, [0.95, 0.05]))) if len(hours) else 0.0
    return round(float(np.log10(width + 1)), 1)


def resolution(values: pd.Series) -> str:
    """Return the largest of ``d``, ``h``, ``min``, ``s`` in which all dates are whole numbers."""
    known = values.dropna().dt
    if not (known.second == 0).all():
        return "s"
    if not (known.minute == 0).all():
        return "min"
    return "d" if (known.hour == 0).all() else "h"
