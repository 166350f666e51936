"""Payload tables with lists in their cells as plain tables, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from casemix.errors import ArtifactError

#: Names of the types of plain columns; a "list" is JSON text.
_TYPES: Mapping[str, pa.DataType] = {
    "number": pa.float64(),
    "single": pa.float32(),
    "integer": pa.int64(),
    "text": pa.string(),
    "list": pa.list_(pa.string()),
}
_SAMPLE = "sample_id"


def plain(ids: pa.Array, payload: pa.Table) -> dict[str, pa.Table] | None:
    """Return a payload's columns as plain tables by the ending of their name.

    Args:
        ids: the sample id of each row.
        payload: what `Payload.to_table` returned.

    Returns:
        ``""`` -> one row per sample, or one row per list entry where every column holds lists of
        the same lengths; ``"_NAME"`` -> one row per entry of the column NAME where the columns
        hold lists of structs. None where a column has no plain form, such as a picture.
    """
    columns = {name: payload[name].combine_chunks() for name in payload.column_names}
    kinds = [c.type for c in columns.values()]
    if all(pa.types.is_list(k) and pa.types.is_struct(k.value_type) for k in kinds):
        parts = {f"_{name}": _entries(ids, _fields(c), c) for name, c in columns.items()}
        return parts if all(map(_is_plain, parts.values())) else None
    if all(map(pa.types.is_list, kinds)) and _equal_lengths(list(columns.values())):
        flat = {name: c.flatten() for name, c in columns.items()}
        long = _entries(ids, flat, next(iter(columns.values())))
        return {"": long} if _is_plain(long) else None
    return {"": payload.replace_schema_metadata(None)} if _is_plain(payload) else None


def nested(
    ids: pd.Index, parts: Mapping[str, pa.Table], columns: Mapping[str, Mapping[str, str]]
) -> pa.Table:
    """Rebuild the payload table that `plain` took apart.

    Args:
        ids: the sample ids, in order.
        parts: the plain tables by the ending of their name.
        columns: ending -> column -> name of its type.

    Raises:
        ArtifactError: an entry belongs to no sample.
    """
    if list(parts) == [""] and _SAMPLE not in parts[""].column_names:
        return parts[""]
    lists: dict[str, pa.Array] = {}
    for ending, table in parts.items():
        order, offsets = _grouped(ids, table, ending)
        cells = [table[name].take(order).combine_chunks() for name in columns[ending]]
        if ending:
            cells = [pa.StructArray.from_arrays(cells, list(columns[ending]))]
        names = [ending.removeprefix("_")] if ending else list(columns[ending])
        lists |= {
            n: pa.ListArray.from_arrays(offsets, c) for n, c in zip(names, cells, strict=True)
        }
    return pa.table(lists)


def type_names(table: pa.Table) -> dict[str, str]:
    """Return column -> name of its type, the sample's id apart."""
    return {f.name: _type_name(f.type) for f in table.schema if f.name != _SAMPLE}


def typed(table: pa.Table, columns: Mapping[str, str], place: object) -> pa.Table:
    """Return the columns with these types; lists are read from JSON text.

    Raises:
        ArtifactError: a cell is not of its column's type, or an unknown type.
    """
    arrays = {}
    for name, kind in columns.items():
        if kind not in _TYPES:
            raise ArtifactError(f"{place}: unknown type of '{name}'.", given=kind, allowed=_TYPES)
        try:
            cells = table[name]
            if kind == "list" and not pa.types.is_list(cells.type):
                cells = [None if c is None else json.loads(c) for c in cells.to_pylist()]
                arrays[name] = pa.array(cells, type=_TYPES[kind])
            else:
                arrays[name] = cells.cast(_TYPES[kind])
        except (ValueError, TypeError, pa.ArrowException) as error:
            raise ArtifactError(
                f"{place}: a cell of '{name}' is no {kind}.", given=str(error)
            ) from error
    return pa.table(arrays)


def as_text(table: pa.Table) -> pa.Table:
    """Return the table with lists as JSON text, which CSV can hold."""
    for i, field in enumerate(table.schema):
        if pa.types.is_list(field.type):
            cells = table[field.name].to_pylist()
            text = [None if c is None else json.dumps(c, ensure_ascii=False) for c in cells]
            table = table.set_column(i, field.name, pa.array(text, type=pa.string()))
    return table


def _entries(ids: pa.Array, flat: Mapping[str, pa.Array], lists: pa.ListArray) -> pa.Table:
    """Return one row per list entry with the id of its sample."""
    lengths = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    owner = ids.take(pa.array(np.repeat(np.arange(len(lists)), lengths)))
    return pa.table({_SAMPLE: owner, **flat})


def _fields(lists: pa.ListArray) -> dict[str, pa.Array]:
    structs = lists.flatten()
    return {f.name: structs.field(i) for i, f in enumerate(structs.type)}


def _grouped(ids: pd.Index, table: pa.Table, ending: str) -> tuple[pa.Array, pa.Array]:
    """Return the order that puts entries sample by sample, and where each sample begins."""
    owner = ids.get_indexer(table[_SAMPLE].to_pandas())
    if (owner < 0).any():
        lost = table[_SAMPLE].take(np.flatnonzero(owner < 0)[:5]).to_pylist()
        raise ArtifactError(
            f"{int((owner < 0).sum())} rows{ending.replace('_', ' of ')} belong to no sample.",
            given=lost,
        )
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(ids)))])
    order = np.argsort(owner, kind="stable")
    return pa.array(order), pa.array(offsets, type=pa.int32())


def _equal_lengths(lists: list[pa.ListArray]) -> bool:
    lengths = [c.value_lengths() for c in lists]
    return all(not c.null_count for c in lists) and all(n.equals(lengths[0]) for n in lengths)


def _is_plain(table: pa.Table) -> bool:
    return all(f.type in _TYPES.values() for f in table.schema)


def _type_name(kind: pa.DataType) -> str:
    return next(name for name, known in _TYPES.items() if known == kind)
