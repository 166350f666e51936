"""The clinical tables: which of their fields hold a fact's code, time, value, text and unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from casemix.recipes.formats.omop import spec

#: OMOP type concept "EHR": where a record comes from.
EHR = 32817


@dataclass(frozen=True)
class Shape:
    """Where a clinical table keeps what a fact is made of; "" = it has no such field.

    Args:
        prefix: beginning of ``..._concept_id``, ``..._type_concept_id`` and ``..._source_value``.
        start: beginning of the fields of date and time.
        end: beginning of the end's fields, where the model demands an end.
        value: field of the number.
        texts: fields of a value that is not a number.
        unit: field of the unit.
        code: first part of the codes of rows that another tool wrote.
    """

    prefix: str
    start: str
    end: str = ""
    value: str = ""
    texts: tuple[str, ...] = ()
    unit: str = ""
    code: str = ""


SHAPES: Mapping[str, Shape] = {
    "condition_occurrence": Shape("condition", "condition_start", code="CONDITION"),
    "drug_exposure": Shape(
        "drug",
        "drug_exposure_start",
        "drug_exposure_end",
        value="quantity",
        unit="dose_unit_source_value",
        code="DRUG",
    ),
    "procedure_occurrence": Shape("procedure", "procedure", code="PROCEDURE"),
    "measurement": Shape(
        "measurement",
        "measurement",
        value="value_as_number",
        texts=("value_source_value",),
        unit="unit_source_value",
        code="MEASUREMENT",
    ),
    "observation": Shape(
        "observation",
        "observation",
        value="value_as_number",
        texts=("value_as_string", "value_source_value"),
        unit="unit_source_value",
        code="OBSERVATION",
    ),
}


def clinical_table(name: str, facts: pd.DataFrame) -> pa.Table:
    """Return a clinical table.

    Args:
        name: one of `SHAPES`.
        facts: ``person``, ``moment`` (datetime64[us]), ``visit`` (nullable), ``source``,
            ``value``, ``text`` and ``unit``.
    """
    shape = SHAPES[name]
    columns: dict[str, Any] = {
        f"{name}_id": np.arange(1, len(facts) + 1),
        "person_id": facts["person"],
        f"{shape.prefix}_concept_id": 0,
        f"{shape.prefix}_type_concept_id": EHR,
        f"{shape.prefix}_source_value": facts["source"],
        f"{shape.prefix}_source_concept_id": 0,
        "visit_occurrence_id": facts["visit"],
        **dated(shape.start, facts["moment"]),
        **(dated(shape.end, facts["moment"]) if shape.end else {}),
        **{field: facts["text"] for field in shape.texts},
    }
    if shape.value:
        columns[shape.value] = facts["value"]
        columns[shape.unit] = facts["unit"]
    return table(name, columns, len(facts))


def dated(prefix: str, moments: pd.Series) -> dict[str, pd.Series]:
    """Return the date and the datetime field of moments (datetime64[us])."""
    days = pd.Series(moments.to_numpy().astype("datetime64[D]"), dtype="datetime64[s]")
    return {f"{prefix}_date": days, f"{prefix}_datetime": moments.reset_index(drop=True)}


def table(name: str, columns: Mapping[str, Any] | pd.DataFrame, rows: int) -> pa.Table:
    """Return a table of the model; fields that are not named are empty."""
    schema = spec.arrow_schema(name)
    arrays = []
    for field in schema:
        cells = columns.get(field.name)
        if not isinstance(cells, pd.Series):
            cells = pd.Series(cells if isinstance(cells, np.ndarray) else [cells] * rows)
        arrays.append(pa.array(cells, type=field.type, from_pandas=True))
    return pa.Table.from_arrays(arrays, schema=schema)
