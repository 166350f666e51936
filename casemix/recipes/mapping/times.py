"""Times of records and events, as hours since the subject's index time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.recipes.mapping.parse import problem
from casemix.recipes.mapping.spec import TimeSpec

HOURS = {"s": 1 / 3600, "min": 1 / 60, "h": 1.0, "d": 24.0}


def dates(cells: pd.Series, place: str) -> pd.Series:
    """Return a column as dates.

    Raises:
        MappingError: a cell that is not a date.
    """
    plain = cells.astype(object) if isinstance(cells.dtype, pd.CategoricalDtype) else cells
    found = pd.to_datetime(plain, errors="coerce", format=_format(plain))
    bad = found.isna() & cells.notna()
    if bad.any():
        raise problem(
            place,
            f"{int(bad.sum())} cells are not dates.",
            given=[repr(v) for v in pd.unique(cells[bad])[:5]],
            allowed="ISO dates such as 2020-01-31 08:30",
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


def _format(cells: pd.Series) -> str | None:
    """Return ``ISO8601`` for text: other orders of day and month would be a guess."""
    return None if pd.api.types.is_datetime64_any_dtype(cells) else "ISO8601"
