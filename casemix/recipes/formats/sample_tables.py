"""The samples of one modality as plain tables, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from casemix.core import registry
from casemix.core.fields import Kind, Schema
from casemix.core.samples import KEYS, Samples
from casemix.errors import ArtifactError
from casemix.recipes.formats.nesting import nested, plain, type_names, typed

_METADATA = b"casemix"
_KINDS = {Kind.NUMERIC: "number", Kind.CODES: "list"}
#: Reads a table: name, columns it must have, columns it may have.
Reader = Callable[[str, list[str], list[str]], pa.Table]


def sample_tables(
    modality: str, samples: Samples
) -> tuple[dict[str, Any], dict[str, pa.Table]] | None:
    """Return what is to be known of a modality to read it again, and its tables by name.

    None where its payload has no plain form, such as pictures.
    """
    payload = samples.payload.to_table()
    index = index_table(samples.index.rename_axis("sample_id").reset_index(), samples.schema)
    parts = plain(index["sample_id"].combine_chunks(), payload)
    if parts is None:
        return None
    metadata = (payload.schema.metadata or {}).get(_METADATA, b"{}")
    entry: dict[str, Any] = {
        "fields": samples.schema.to_json(),
        "payload": json.loads(metadata),
        "columns": {ending: type_names(part) for ending, part in parts.items()},
        "flat": list(parts) == [""] and "sample_id" not in parts[""].column_names,
    }
    if entry["flat"]:
        return entry, {modality: _beside(modality, index, parts[""])}
    step = entry["payload"].get("step_seconds")
    if step is not None:
        parts[""] = _with_hours(parts[""], payload, float(step))
    named = {f"{modality}{ending}": part for ending, part in parts.items()}
    if f"{modality}_samples" in named:
        raise ArtifactError(f"A table of {modality} cannot have the name 'samples'.")
    return entry, {f"{modality}_samples": index, **named}


def read_samples(modality: str, entry: Mapping[str, Any], reader: Reader) -> Samples:
    """Read what `sample_tables` made.

    Raises:
        ArtifactError: a table or column is missing, or a cell is of another type.
    """
    schema = Schema.from_json(entry["fields"])
    flat, columns = entry["flat"], entry["columns"]
    name = modality if flat else f"{modality}_samples"
    index = read_index(name, schema, reader, keys=("sample_id", *KEYS)).set_index("sample_id")
    parts = {}
    for ending, types in columns.items():
        kinds = dict(types) if flat else {"sample_id": "text", **types}
        table = reader(f"{modality}{ending}", list(kinds), [])
        parts[ending] = typed(table, kinds, f"{modality}{ending}")
    metadata = {_METADATA: json.dumps(entry["payload"], ensure_ascii=False).encode()}
    table = nested(index.index, parts, columns).replace_schema_metadata(metadata)
    return Samples(modality, index, registry.payload_type(modality).from_table(table), schema)


def read_index(
    name: str, schema: Schema, reader: Reader, *, keys: tuple[str, ...], optional: str = ""
) -> pd.DataFrame:
    """Return the ids, times and fields of a table."""
    types = {key: "number" if key == "time" else "text" for key in keys}
    types |= {f.name: _KINDS.get(f.kind, "text") for f in schema}
    table = reader(name, list(types), [optional] if optional else [])
    if optional in table.column_names:
        types[optional] = "text"
    return typed(table, types, name).to_pandas()


def index_table(frame: pd.DataFrame, schema: Schema) -> pa.Table:
    """Return ids, times and fields as Arrow columns."""
    kinds = {f.name: f.kind for f in schema}
    arrays = {}
    for name in frame.columns:
        numeric = name == "time" or kinds.get(name) is Kind.NUMERIC
        listed = kinds.get(name) is Kind.CODES
        kind = pa.float64() if numeric else pa.list_(pa.string()) if listed else pa.string()
        arrays[name] = pa.array(frame[name], type=kind, from_pandas=True)
    return pa.table(arrays)


def _beside(modality: str, index: pa.Table, content: pa.Table) -> pa.Table:
    clash = set(index.column_names) & set(content.column_names)
    if clash:
        raise ArtifactError(
            f"A column of the {modality} samples has the name of another.", given=sorted(clash)
        )
    for name in content.column_names:
        index = index.append_column(name, content[name])
    return index


def _with_hours(long: pa.Table, payload: pa.Table, step_seconds: float) -> pa.Table:
    """Return the rows of series with their time since the sample's, for people to read."""
    times = len(long) // max(len(payload), 1)
    hours = np.tile(np.arange(times) * step_seconds / 3600.0, len(payload))
    return long.add_column(1, "hours", pa.array(hours))
