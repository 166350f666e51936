"""Findings of a table: its own columns, named ``tabular.<column>``."""

from __future__ import annotations

import pandas as pd

from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples

_PREFIX = "tabular."


def findings_schema(schema: Schema) -> Schema:
    """Return the findings' fields: each column, and for a column of codes how many there are."""
    return Schema(tuple(_finding(f) for f in schema))


def findings(samples: Samples) -> pd.DataFrame:
    """Return the columns as findings, index = sample ids."""
    table = samples.payload
    columns = {
        _finding(f).name: table.frame[f.name].map(len, na_action="ignore").astype("float64")
        if f.kind is Kind.CODES
        else table.frame[f.name]
        for f in table.schema
    }
    return pd.DataFrame(columns).set_axis(samples.index.index, axis=0)


def _finding(field: Field) -> Field:
    if field.kind is Kind.CODES:
        return Field(f"{_PREFIX}{field.name}.count", Kind.NUMERIC, description=field.description)
    return Field(
        _PREFIX + field.name,
        field.kind,
        field.unit,
        field.levels,
        description=field.description,
    )
