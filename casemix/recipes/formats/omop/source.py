"""The tables of an OMOP folder as typed frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from casemix.errors import ArtifactError
from casemix.recipes.formats.omop import dates, spec
from casemix.recipes.formats.table_files import find_table, read_table

#: What tools write for no value, in small letters; in texts it may be a value.
_NO_VALUE = ("", "null", "(null)", "na", "n/a", "nan", "nat", "none", ".")


#: Fields that the model's version 5.3 named otherwise, by today's name.
_FORMERLY = {
    "discharged_to_source_value": "discharge_to_source_value",
    "discharged_to_concept_id": "discharge_to_concept_id",
}


def read_frame(
    root: Path, name: str, needed: Sequence[str], also: Sequence[str] | None = None
) -> pd.DataFrame | None:
    """Return a table of an OMOP folder, or None where the folder lacks it.

    Args:
        root: the folder.
        name: a table of the model.
        needed: fields that the file must have.
        also: other fields to read; by default all of the model's.

    Returns:
        These fields, those that the file lacks empty: ids as nullable integers, numbers as
        float64, dates and times as datetime64[us], texts as str or None.

    Raises:
        ArtifactError: the file cannot be read, or a cell is not of its field's type.
    """
    wanted = None if also is None else {*needed, *also}
    types = {c.name: c.type for c in spec.tables()[name] if wanted is None or c.name in wanted}
    others = [field for field in types if field not in needed]
    path, table = _read(root, name, needed, others)
    if table is None:
        return None
    return pd.DataFrame({n: _typed(table[n], types[n], path, n) for n in types})


def read_text(root: Path, name: str, needed: Sequence[str], also: Sequence[str]) -> pa.Table | None:
    """Return columns of a table of an OMOP folder as text, or None where the folder lacks it.

    Args:
        root: the folder.
        name: a table.
        needed: columns that the file must have.
        also: other columns, empty where the file lacks them.

    Raises:
        ArtifactError: the file cannot be read, or lacks a column.
    """
    _, table = _read(root, name, needed, also)
    if table is None:
        return None
    return pa.table({n: pc.cast(table[n], pa.string()) for n in (*needed, *also)})


def _read(
    root: Path, name: str, needed: Sequence[str], also: Sequence[str]
) -> tuple[Path, pa.Table | None]:
    path = find_table(root, name)
    if path is None:
        return root, None
    former = [_FORMERLY[field] for field in also if field in _FORMERLY]
    quoted = name != "concept"  # Athena writes vocabularies with tabs and bare quotes
    table = read_table(path, needed, optional=[*also, *former], any_case=True, quoted=quoted)
    blank = pa.chunked_array([pa.nulls(table.num_rows, pa.string())])
    cells = {}
    for field in (*needed, *also):
        names = [n for n in (field, _FORMERLY.get(field)) if n in table.column_names]
        cells[field] = table[names[0]] if names else blank
    return path, pa.table(cells)


def first_known(*columns: pd.Series) -> pd.Series:
    """Return each row's first known cell, as objects; None where no column knows it."""
    found = np.full(len(columns[0]), None, dtype=object)
    for column in reversed(columns):
        known = column.notna().to_numpy()
        found[known] = column.to_numpy(dtype=object)[known]
    return pd.Series(found, index=columns[0].index)


def _whole(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return integers; also of "3.0", which pandas writes where a column has empty cells."""
    try:
        return pc.cast(cells, pa.int64())
    except pa.ArrowInvalid:
        return pc.cast(pc.cast(cells, pa.float64()), pa.int64())


_ALLOWED = {
    pa.int64(): "a whole number",
    pa.float64(): "a number with a decimal point",
    dates.MOMENT: dates.ALLOWED,
}
_CASTS = {pa.int64(): _whole, dates.MOMENT: dates.moments}


def _filled(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return cells of numbers and dates; what tools write for no value is missing."""
    if not pa.types.is_string(cells.type):
        return cells
    cells = pc.utf8_trim_whitespace(cells)
    absent = pc.is_in(pc.utf8_lower(cells), value_set=pa.array(_NO_VALUE))
    return pc.if_else(absent, pa.scalar(None, pa.string()), cells)


def _typed(cells: pa.ChunkedArray, wanted: pa.DataType, path: Path, name: str) -> pd.Series:
    date, text = pa.types.is_temporal(wanted), pa.types.is_string(wanted)
    wanted = dates.MOMENT if date else wanted
    try:
        given = cells if text else _filled(cells)
        cast = _CASTS.get(wanted, lambda c: pc.cast(c, wanted))(given)
    except pa.ArrowException as error:
        raise ArtifactError(
            f"{path}: a cell of '{name}' does not fit the model.",
            given=str(error),
            allowed=_ALLOWED.get(wanted, "text in UTF-8"),
        ) from error
    if pa.types.is_integer(wanted):
        return cast.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return pd.Series(cast.to_pandas(), dtype=object if text else None)
