"""Times of records and events, as hours since the subject's index time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.recipes.mapping.parse import problem
from casemix.recipes.mapping.spec import TimeSpec

HOURS = {"s": 1 / 3600, "min": 1 / 60, "h": 1.0, "d": 24.0}


def dates(cells: pd.Series, place: str, spelling: str = "") -> pd.Series:
    """Return a column as dates without a time zone (of UTC, where the source has one).

    Args:
        cells: dates, or text.
        place: where the mapping says so.
        spelling: how text is written, as in ``strptime``; by default ISO 8601.

    Raises:
        MappingError: a cell that is not a date.
    """
    plain = cells.astype(object) if isinstance(cells.dtype, pd.CategoricalDtype) else cells
    ready = pd.api.types.is_datetime64_any_dtype(plain)
    if pd.api.types.is_numeric_dtype(plain) and plain.notna().any():
        raise problem(place, f"the column '{cells.name}' holds numbers, not dates.")
    # Text in another order of day and month would be a guess, so the form is never inferred.
    form = None if ready else spelling or "ISO8601"
    found = pd.to_datetime(plain, errors="coerce", format=form)
    bad = found.isna() & cells.notna()
    if bad.any():
        raise problem(
            place,
            f"{int(bad.sum())} cells are not dates.",
            given=[repr(v) for v in pd.unique(cells[bad])[:5]],
            allowed=spelling or "ISO dates such as 2020-01-31 08:30",
            next_step="Say how they are written in the table's block: "
            f"dates: {{{cells.name}: '%d.%m.%Y %H:%M'}}.",
        )
    if isinstance(found.dtype, pd.DatetimeTZDtype):
        return found.dt.tz_convert("UTC").dt.tz_localize(None)
    return found


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
