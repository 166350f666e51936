"""Tables as files hold them: frames, keys as texts, dates, and the columns that must be there."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from casemix.errors import MappingError, did_you_mean
from casemix.modalities.relational.table_form import KEYS

HOURS = {"minute": 1 / 60, "hour": 1.0}


def load_frame(folder: Path, name: str) -> pd.DataFrame:
    """Read one table.

    Raises:
        MappingError: there is no such file, or it cannot be read.
    """
    for ending, load in (("parquet", pd.read_parquet), ("csv", pd.read_csv)):
        path = folder / f"{name}.{ending}"
        if path.is_file():
            try:
                frame: pd.DataFrame = (
                    load(path, low_memory=False) if ending == "csv" else load(path)
                )
            except (OSError, ValueError) as error:
                raise MappingError(f"{path} cannot be read.", given=str(error)) from error
            return frame.rename(columns=str)
    found = sorted(p.stem for p in folder.glob("*") if p.suffix in (".parquet", ".csv"))
    raise MappingError(
        f"There is no table '{name}' in {folder}.",
        allowed=found or "CSV and parquet files",
        next_step=did_you_mean(name, found),
    )


def field_name(column: str) -> str:
    """Return a column's name as a field's: a name that keys need gets a ``_`` behind it."""
    return f"{column}_" if column in KEYS else column


def as_text(column: pd.Series) -> pd.Series:
    """Return keys as texts; whole numbers without a decimal point, missing ones as ""."""
    if pd.api.types.is_float_dtype(column):
        column = column.astype("Int64")
    return column.astype("string").fillna("").astype(object)


def as_dates(column: pd.Series) -> pd.Series:
    """Return dates without time zone; what is none becomes missing."""
    dates = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
    return dates.dt.tz_localize(None).astype("datetime64[s]")


def check_columns(frame: pd.DataFrame, names: list[str], table: str) -> None:
    """Check that a table has these columns.

    Raises:
        MappingError: it lacks one.
    """
    for name in names:
        if name not in frame.columns:
            raise MappingError(
                f"The table '{table}' has no column '{name}'.",
                allowed=list(frame.columns),
                next_step=did_you_mean(name, list(frame.columns)),
            )
