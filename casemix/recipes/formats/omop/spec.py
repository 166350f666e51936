"""The tables of the OMOP Common Data Model 5.4 that casemix writes and reads.

``cdm54_fields.csv`` beside this file holds table, field, type, whether it is required, and what it
refers to; a test holds it to the models of the package ``omop-cdm``.

Reference: OHDSI, OMOP Common Data Model 5.4, https://ohdsi.github.io/CommonDataModel/cdm54.html
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow as pa

_FIELDS = Path(__file__).with_name("cdm54_fields.csv")
_ARROW = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us"),
    "text": pa.string(),
}
#: Longest source value of the model, in characters.
SOURCE_LENGTH = 50


@dataclass(frozen=True)
class Column:
    """One field of a table of the model.

    Args:
        name: the field's name.
        type: its Arrow type.
        required: whether a cell must be filled.
        length: most characters of a text, 0 = no bound.
        references: the table whose key the cells name, or nothing.
    """

    name: str
    type: pa.DataType
    required: bool
    length: int = 0
    references: str = ""


@cache
def tables() -> Mapping[str, tuple[Column, ...]]:
    """Return the fields of each table, in the model's order."""
    found: dict[str, tuple[Column, ...]] = {}
    with _FIELDS.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            found[row["table"]] = (*found.get(row["table"], ()), _column(row))
    return found


def keys(table: str) -> tuple[str, ...]:
    """Return the fields whose cells together are unique."""
    if table == "source_to_concept_map":
        return ("source_code", "source_vocabulary_id", "target_concept_id", "valid_end_date")
    return (tables()[table][0].name,)


def arrow_schema(table: str) -> pa.Schema:
    """Return the table's Arrow schema; a required field is not nullable."""
    return pa.schema([pa.field(c.name, c.type, nullable=not c.required) for c in tables()[table]])


def _column(row: Mapping[str, str]) -> Column:
    name, _, length = re.fullmatch(r"(\w+)(\((\d+)\))?", row["type"]).groups()  # type: ignore[union-attr]
    return Column(
        row["field"],
        _ARROW[name],
        row["required"] == "yes",
        int(length or 0),
        row["references"].partition(".")[0],
    )
