"""Times of records and events, as hours since the subject's index time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.errors import did_you_mean
from casemix.recipes.mapping.cells import cell_text
from casemix.recipes.mapping.parse import problem
from casemix.recipes.mapping.spec import TimeSpec

#: The whole years that text is read in; a date outside them counts as none.
FIRST, LAST = np.datetime64("1678-01-01"), np.datetime64("2262-01-01")
HOURS = {"s": 1 / 3600, "min": 1 / 60, "h": 1.0, "d": 24.0}


def dates(cells: pd.Series, place: str, spelling: str = "", *, invalid: str = "error") -> pd.Series:
    """Return a column as dates without a time zone (of UTC, where the source has one).

    Args:
        cells: dates, or text.
        place: where the mapping says so.
        spelling: how text is written, as in ``strptime``; by default ISO 8601. Numbers such as
            20240131 need one.
        invalid: ``missing`` makes cells that are not dates, or lie outside the years 1678 to
            2261, missing.

    Raises:
        MappingError: a cell that is not a date, unless ``invalid`` is ``missing``.
    """
    plain = cells.astype(object) if isinstance(cells.dtype, pd.CategoricalDtype) else cells
    ready = pd.api.types.is_datetime64_any_dtype(plain)
    if pd.api.types.is_numeric_dtype(plain) and spelling:
        plain = cell_text(plain)
    if pd.api.types.is_numeric_dtype(plain) and plain.notna().any():
        raise problem(place, f"the column '{cells.name}' holds numbers, not dates.")
    # Text in another order of day and month would be a guess, so the form is never inferred.
    form = None if ready else spelling or "ISO8601"
    found = within_calendar(plain if ready else _read(plain, form))
    bad = found.isna() & cells.notna()
    if bad.any() and invalid == "error":
        raise problem(
            place,
            f"{int(bad.sum())} cells are not dates.",
            given=[repr(v) for v in pd.unique(cells[bad])[:5]],
            allowed=spelling or "ISO dates such as 2020-01-31 08:30, of the years 1678 to 2261",
            next_step="Say how they are written in the table's block: "
            f"dates: {{{cells.name}: '%d.%m.%Y %H:%M'}}, or invalid_dates: missing.",
        )
    return found


def within_calendar(found: pd.Series) -> pd.Series:
    """Return dates as datetime64[us] of UTC, NaT where they lie outside `FIRST` to `LAST`.

    Microseconds, so that the time between any two of them fits 64 bits.
    """
    if isinstance(found.dtype, pd.DatetimeTZDtype):
        found = found.dt.tz_convert("UTC").dt.tz_localize(None)
    inside = (found >= FIRST) & (found < LAST)
    return found.where(inside).astype("datetime64[us]")


def _read(cells: pd.Series, form: str | None) -> pd.Series:
    """Return text as dates; a source that mixes time zones is read as UTC."""
    if form != "ISO8601":
        return pd.to_datetime(cells, errors="coerce", format=form)
    return pd.to_datetime(cells, errors="coerce", format=form, utc=True)


def hours(
    cells: pd.Series, spec: TimeSpec, origin: pd.Series | None, subjects: pd.Series, place: str
) -> np.ndarray:
    """Return hours since the origin, float64 (n,), NaN where not known.

    Args:
        cells: the time column.
        spec: its unit.
        origin: the date from which the hours of each row count; None for the subject's first.
        subjects: whose each row is.
        place: where the mapping says so.
    """
    if spec.unit != "date":
        if pd.api.types.is_datetime64_any_dtype(cells):
            raise problem(place, f"the column '{cells.name}' holds dates: say 'unit: date'.")
        numbers = pd.to_numeric(cells, errors="coerce").astype("Float64")
        bad = numbers.isna() & cells.notna()
        if bad.any():
            raise problem(
                place,
                f"{int(bad.sum())} times are not numbers.",
                given=[repr(v) for v in pd.unique(cells[bad])[:5]],
                next_step="For dates say 'unit: date'.",
            )
        return numbers.to_numpy(dtype=np.float64, na_value=np.nan) * HOURS[spec.unit]
    when = dates(cells, place)
    start = when.groupby(subjects.to_numpy()).transform("min") if origin is None else origin
    return (when - start).dt.total_seconds().to_numpy(dtype=np.float64) / 3600


def since(rows: pd.DataFrame, cells: pd.Series, reference: str, unit: str, place: str) -> pd.Series:
    """Return the time from another date to that of each cell, float64, in the unit of a field.

    Args:
        rows: the table.
        cells: its date column.
        reference: another date column of the table, or a date in ISO form.
        unit: as in `between`.
        place: where the mapping says so.

    Raises:
        MappingError: the reference is neither.
    """
    if reference in rows.columns:
        return between(rows[reference], cells, unit, place)
    try:
        start = pd.Series(pd.Timestamp(reference), index=cells.index)
    except ValueError as error:
        raise problem(
            f"{place}.since",
            "this is neither a column of the table nor a date.",
            given=repr(reference),
            allowed=[*map(str, rows.columns), "or an ISO date such as '2020-01-01'"],
            next_step=did_you_mean(reference, map(str, rows.columns)),
        ) from error
    return between(start, cells, unit, place)


def between(start: pd.Series, stop: pd.Series, unit: str, place: str) -> pd.Series:
    """Return the time from one date to another, float64, in the unit of a field.

    Args:
        start: the earlier dates.
        stop: the later dates.
        unit: ``s``, ``min``, ``h``, ``d`` or ``a`` (mean Gregorian years).
        place: where the mapping says so.
    """
    if unit not in (*HOURS, "a"):
        raise problem(
            f"{place}.unit", "this is no unit of time.", given=unit, allowed=[*HOURS, "a"]
        )
    seconds = (dates(stop, place) - dates(start, place)).dt.total_seconds()
    return seconds / 3600 / (365.2425 * 24 if unit == "a" else HOURS[unit])
