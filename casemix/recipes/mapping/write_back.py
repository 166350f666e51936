"""A synthetic cohort written back in the layout of the table that the real one was read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from casemix.core.cohort import Cohort
from casemix.core.seeding import child
from casemix.recipes.mapping.fields import plain
from casemix.recipes.mapping.layout import Column
from casemix.recipes.mapping.times import HOURS

_TIME = "time"  # hours since the subject's index time; no field may have this name
_GRIDS = {"d": "1D", "h": "1h", "min": "1min", "s": "1s"}
_WEEKS = 52  # dates are shifted by a multiple of it: weekdays stay, seasons nearly
_YEARS_FROM, _YEARS_TO = 1700, 2240  # where a shift of some years still fits a calendar of ns


def written(cohort: Cohort, columns: Sequence[Column], *, seed: int) -> pd.DataFrame:
    """Return the table of a synthetic cohort, one row per tabular record.

    Whole numbers come out as whole numbers, levels as the cells that mean them, dates as dates
    that are all shifted by the same number of weeks, ids as ids that no real row has.

    Args:
        cohort: the synthetic cohort.
        columns: what `plan` returned for the real table.
        seed: draws the shift of the dates.
    """
    values = flat(cohort).assign(**{_TIME: cohort["tabular"].index["time"]})
    dates = _Dates(values, {c.name: c for c in columns if c.role == "date"}, _shift_years(seed))
    return pd.DataFrame({c.name: _cells(c, values, dates) for c in columns}, index=values.index)


def flat(cohort: Cohort) -> pd.DataFrame:
    """Return subject id, context and table side by side, one row per record."""
    samples = cohort["tabular"]
    context = cohort.subjects.reindex(samples.subject_ids).set_axis(samples.index.index, axis=0)
    table = samples.payload.frame.set_axis(samples.index.index, axis=0)
    recorded = samples.index[list(samples.schema.names)]
    taken = {*table, *recorded}
    own = [c for c in context if c not in taken]
    return pd.concat([samples.index[["subject_id"]], context[own], recorded, table], axis=1)


def _cells(column: Column, values: pd.DataFrame, dates: _Dates) -> pd.Series:
    if column.role == "empty":
        return pd.Series(None, index=values.index, dtype=object)
    if column.role == "date":
        return dates.written(column)
    if column.role in ("subject", "row"):
        own = values["subject_id"] if column.role == "subject" else values.index.to_series()
        numbers = pd.Series(column.first + pd.factorize(own)[0], index=values.index)
        return numbers if column.first else own.astype(object)
    cells = values[column.source]
    if column.role == "codes":
        joined = cells.map(lambda codes: (column.split or " ").join(codes), na_action="ignore")
        return joined if column.split else cells
    return _coded(column, _levels(column, cells) if column.raw else _numbers(column, cells))


def _numbers(column: Column, cells: pd.Series) -> pd.Series:
    numbers = (cells - column.offset) / column.scale
    if column.decimals < 0:
        return numbers
    numbers = numbers.round(column.decimals)
    return numbers.astype("Int64") if column.decimals == 0 else numbers


def _levels(column: Column, cells: pd.Series) -> pd.Series:
    texts = cells.map(lambda level: column.raw.get(level, level), na_action="ignore")
    if column.dtype in ("bool", "boolean"):
        return texts.map({"true": True, "false": False}).astype("boolean")
    numbers = pd.to_numeric(texts, errors="coerce")
    if column.dtype != "object" and (numbers.isna() == texts.isna()).all():
        return numbers.astype("Int64") if (numbers.dropna() % 1 == 0).all() else numbers
    return texts


def _coded(column: Column, cells: pd.Series) -> pd.Series:
    if not column.missing or not cells.isna().any():
        return cells
    number = pd.to_numeric(column.missing, errors="coerce")
    if pd.api.types.is_numeric_dtype(cells) and not pd.isna(number):
        return cells.fillna(number)
    text = cells.astype(object).map(plain, na_action="ignore")
    return text.where(cells.notna(), column.missing)


def _shift_years(seed: int) -> int:
    """Return 3 to 12 or -3 to -12: how many times 52 weeks the dates are shifted."""
    drawn = child(seed, "date shift") % 20
    return drawn - 12 if drawn < 10 else drawn - 7


@dataclass(frozen=True)
class _Dates:
    """The dates of the synthetic rows, each counted from another one or from a day.

    Args:
        values: the fields, one row per record.
        columns: the date columns.
        years: the shift of all dates, in years of 52 weeks.
    """

    values: pd.DataFrame
    columns: Mapping[str, Column]
    years: int

    def written(self, column: Column) -> pd.Series:
        """Return a date column as the input writes it, shifted."""
        when = self._when(column.name)
        if _has_day(column):
            when = when + self._shift()
        if not column.spelling:
            return when.astype("datetime64[us]")
        return when.dt.strftime(column.spelling).where(when.notna(), None)

    def _when(self, name: str) -> pd.Series:
        """Return the dates of a column before the shift, as fine as the real ones."""
        column = self.columns[name]
        hours = self.values[column.source] * HOURS[column.unit]
        hours = hours + self.values[_TIME] if column.timed else hours
        elapsed = (hours * 3600).round().astype("Int64").astype("timedelta64[s]")
        start = np.datetime64(column.since, "s") if column.since not in self.columns else None
        when = elapsed + (self._when(column.since) if start is None else start)
        return when.dt.round(_GRIDS[column.grid])

    def _shift(self) -> pd.Timedelta:
        days = [c for c in self.columns.values() if _has_day(c)]
        years = pd.concat([self._when(c.name) for c in days]).dt.year
        back = years.max() > _YEARS_TO
        sign = -1 if back else 1 if years.min() < _YEARS_FROM else int(np.sign(self.years))
        return pd.Timedelta(weeks=sign * abs(self.years) * _WEEKS)


def _has_day(column: Column) -> bool:
    return not column.spelling or "%d" in column.spelling
