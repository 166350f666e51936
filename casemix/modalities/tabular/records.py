"""What every tabular generator checks and returns: the record side of fit and generate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd

from casemix.core.conditions import Conditions, check_honoured
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import KEYS, Samples
from casemix.errors import ConditionError, FitError
from casemix.modalities.tabular.data import Table

_FEWEST = 8  # records
T = TypeVar("T")


@dataclass(frozen=True)
class Fitted:
    """What a generator was fitted with.

    Args:
        table: the table's columns.
        given: the conditions; a field that is also a column fixes that column.
        record: the record-level fields of the samples.
    """

    table: Schema
    given: Schema
    record: Schema

    def to_json(self) -> dict[str, Any]:
        """Return the schemas as JSON-ready content."""
        return {name: getattr(self, name).to_json() for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Fitted:
        """Rebuild what `to_json` wrote."""
        return cls(*(Schema.from_json(content[name]) for name in cls.__dataclass_fields__))


def check_fit(
    data: Samples,
    given: Conditions,
    honours: frozenset[Kind],
    who: str,
    *,
    codes: bool = False,
) -> Fitted:
    """Check what a generator is to be fitted on.

    Args:
        data: the training records.
        given: their conditions.
        honours: the kinds of condition that the generator honours.
        who: its registry name.
        codes: whether it can learn columns of code lists.

    Raises:
        FitError: too few records, other rows in ``given``, or a column that it cannot learn.
        ConditionError: a condition of a kind that is not honoured, or that is defined otherwise
            than the column of its name.
    """
    if list(data.sample_ids) != given.sample_ids:
        raise FitError(
            "The conditions are not those of the training records, row by row.",
            given=f"{len(given)} rows of conditions for {len(data)} records",
            next_step="Take them from the same cohort: cohort.conditions('tabular').",
        )
    if len(data) < _FEWEST:
        raise FitError(
            f"{who} needs more records to learn from.",
            given=len(data),
            allowed=f"at least {_FEWEST}",
        )
    check_honoured(given.schema, honours, who)
    table = data.payload.schema
    for field in table:
        if field.kind is Kind.CODES and not codes:
            raise FitError(
                f"{who} cannot learn the column '{field.name}', which is a list of codes.",
                next_step="Make one binary column per code, or leave the column out.",
            )
        if field.name in given.schema and not _alike(given.schema[field.name], field):
            raise ConditionError(
                f"The condition '{field.name}' differs from the column of that name.",
                given=given.schema[field.name],
                allowed=field,
            )
    return Fitted(table, given.schema, data.schema)


def _alike(condition: Field, column: Field) -> bool:
    return (condition.kind, condition.unit, condition.levels) == (
        column.kind,
        column.unit,
        column.levels,
    )


def fitted_or_error(fitted: T | None, who: str) -> T:
    """Return what a generator has learnt.

    Raises:
        FitError: it was not fitted.
    """
    if fitted is None:
        raise FitError(f"{who} is not fitted.", next_step="Call fit first, or load a saved model.")
    return fitted


def records(frame: pd.DataFrame, given: Conditions, fitted: Fitted) -> Samples:
    """Return generated rows as samples with the ids, subjects and times that were asked for."""
    index = given.rows[list(KEYS)].join(fitted.record.empty(given.rows.index))
    for name in fitted.record.names:
        if name in given.schema:
            index[name] = given.rows[name]
    return Samples("tabular", index, Table(frame, fitted.table), fitted.record)


def columns_of(cells: Mapping[str, list[Any]], schema: Schema) -> pd.DataFrame:
    """Return lists of cells as typed columns; a list of lists stays one column."""
    dtypes = {f.name: "float64" if f.kind is Kind.NUMERIC else object for f in schema}
    return pd.DataFrame({n: pd.Series(cells[n], dtype=dtypes[n]) for n in schema.names})


def with_given(frame: pd.DataFrame, given: Conditions) -> pd.DataFrame:
    """Return rows in which the cells that are given for a column stand as given."""
    shown = frame.set_axis(given.rows.index, axis=0)
    for name in set(frame.columns) & set(given.schema.names):
        asked = given.rows[name]
        shown[name] = asked.where(asked.notna(), shown[name])
    return shown
