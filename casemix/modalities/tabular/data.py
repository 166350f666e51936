"""Table: one row of typed columns per sample."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from casemix.core.fields import Field, Kind, Schema
from casemix.errors import PayloadError, SchemaError

_METADATA = b"casemix"


@dataclass(frozen=True)
class Table:
    """Rows of typed columns; row i belongs to sample i.

    Args:
        frame: one column per field of ``schema``. The frame's own index is dropped.
        schema: kind, unit, levels and range of each column.

    Raises:
        PayloadError: no column, a missing one, or a cell that does not fit its field.
    """

    frame: pd.DataFrame
    schema: Schema

    def __post_init__(self) -> None:
        if len(self.schema) == 0:
            raise PayloadError("A table needs at least one column.")
        typed = {f.name: _typed(self.frame, f) for f in self.schema}
        object.__setattr__(self, "frame", pd.DataFrame(typed))

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, positions: np.ndarray) -> Self:
        """Return the rows at these positions, in this order."""
        return type(self)(self.frame.iloc[positions], self.schema)

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of all parts, in order.

        Raises:
            PayloadError: no part, or parts with different columns.
        """
        if not parts:
            raise PayloadError("There is nothing to concatenate.")
        schema = parts[0].schema
        for part in parts:
            if part.schema != schema:
                raise PayloadError(
                    "Only tables with the same columns can be joined.",
                    given=part.schema.names,
                    allowed=schema.names,
                )
        return cls(pd.concat([p.frame for p in parts], ignore_index=True), schema)

    def to_table(self) -> pa.Table:
        """Return the columns as Arrow; the schema goes into the metadata."""
        arrays = {
            f.name: pa.array(self.frame[f.name], type=_arrow_type(f), from_pandas=True)
            for f in self.schema
        }
        about = json.dumps({"schema": self.schema.to_json()}, ensure_ascii=False)
        return pa.table(arrays).replace_schema_metadata({_METADATA: about.encode()})

    @classmethod
    def from_table(cls, table: pa.Table) -> Self:
        """Rebuild what `to_table` wrote.

        Raises:
            PayloadError: no schema in the metadata, or a cell that does not fit its field.
        """
        about = (table.schema.metadata or {}).get(_METADATA)
        if about is None:
            raise PayloadError(
                "The Arrow table does not say what its columns are.",
                given=table.column_names,
                allowed=f"schema metadata under the key {_METADATA.decode()!r}",
                next_step="Write it with Table.to_table.",
            )
        try:
            schema = Schema.from_json(json.loads(about)["schema"])
        except (ValueError, KeyError, TypeError, SchemaError) as error:
            raise PayloadError(
                "The Arrow table's schema metadata is damaged.", given=str(error)
            ) from error
        return cls(table.to_pandas(), schema)

    def preview(self, position: int) -> dict[str, Any]:
        """Return one row as ``{"type": "table", "rows": [[name, value, unit], ...]}``."""
        row = self.frame.iloc[position]
        rows = [[f.name, _plain(row[f.name]), f.unit] for f in self.schema]
        return {"type": "table", "rows": rows}


#: What core and the registry call this modality's payload.
PAYLOAD = Table


def _typed(frame: pd.DataFrame, field: Field) -> pd.Series:
    """Return one column in its storage form, with positions for an index."""
    if field.name not in frame.columns:
        raise PayloadError(f"The table lacks the column '{field.name}'.", given=list(frame.columns))
    column = frame[field.name].reset_index(drop=True)
    try:
        typed = field.coerce(column)
    except SchemaError as error:
        raise PayloadError(
            f"Column '{field.name}', first at row {_first_misfit(column, field)}: {error.what}",
            given=error.given,
            allowed=error.allowed,
            next_step=error.next_step,
        ) from error
    if field.range is not None:
        _check_range(typed, field, field.range)
    return typed


def _check_range(column: pd.Series, field: Field, bounds: tuple[float, float]) -> None:
    outside = column[field.out_of_range(column)]
    if len(outside):
        raise PayloadError(
            f"Column '{field.name}' lies outside its range in {len(outside)} rows, "
            f"first at row {outside.index[0]}.",
            given=[float(v) for v in outside.unique()[:5]],
            allowed=f"{bounds[0]} to {bounds[1]} {field.unit}".strip(),
            next_step="Widen the field's range, or make these cells missing.",
        )


def _first_misfit(column: pd.Series, field: Field) -> int:
    for position in range(len(column)):
        try:
            field.coerce(column.iloc[position : position + 1])
        except SchemaError:
            return position
    raise AssertionError("a column cannot misfit where none of its cells does")


def _arrow_type(field: Field) -> pa.DataType:
    if field.kind is Kind.NUMERIC:
        return pa.float64()
    return pa.list_(pa.string()) if field.kind is Kind.CODES else pa.string()


def _plain(cell: Any) -> Any:
    if isinstance(cell, list):
        return ", ".join(cell)
    return None if pd.isna(cell) else cell
