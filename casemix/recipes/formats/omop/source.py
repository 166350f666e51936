"""The tables of an OMOP folder as typed frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from casemix.errors import ArtifactError
from casemix.recipes.formats.omop import spec
from casemix.recipes.formats.table_files import find_table, read_table


def read_frame(root: Path, name: str, needed: Sequence[str]) -> pd.DataFrame | None:
    """Return a table of an OMOP folder, or None where the folder lacks it.

    Args:
        root: the folder.
        name: a table of the model, or ``concept``.
        needed: fields that the file must have.

    Returns:
        The model's fields, those that the file lacks empty: ids as nullable integers, numbers as
        float64, dates and times as datetime64[us], texts as str or None.

    Raises:
        ArtifactError: the file cannot be read, or a cell is not of its field's type.
    """
    path = find_table(root, name)
    if path is None:
        return None
    types = {c.name: c.type for c in spec.tables().get(name, ())} or dict.fromkeys(
        needed, pa.string()
    )
    others = [name for name in types if name not in needed]
    table = read_table(path, needed, optional=others, any_case=True)
    blank = pa.chunked_array([pa.nulls(table.num_rows, pa.string())])
    cells = {n: table[n] if n in table.column_names else blank for n in types}
    return pd.DataFrame({n: _typed(cells[n], types[n], path, n) for n in types})


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


def _moments(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return dates and times; a time with a zone is taken in UTC."""
    try:
        return pc.cast(cells, pa.timestamp("us"))
    except pa.ArrowInvalid:
        zoned = pc.cast(cells, pa.timestamp("us", tz="UTC"))
        return pc.cast(zoned, pa.timestamp("us"))


_CASTS = {pa.int64(): _whole, pa.timestamp("us"): _moments}


def _typed(cells: pa.ChunkedArray, wanted: pa.DataType, path: Path, name: str) -> pd.Series:
    date = pa.types.is_temporal(wanted)
    wanted = pa.timestamp("us") if date else wanted
    try:
        if date and pa.types.is_string(cells.type):
            cells = pc.utf8_trim_whitespace(cells)
        cast = _CASTS.get(wanted, lambda c: pc.cast(c, wanted))(cells)
    except pa.ArrowException as error:
        raise ArtifactError(
            f"{path}: a cell of '{name}' does not fit the model.",
            given=str(error),
            allowed="ISO dates such as 2020-12-31 08:30:00" if date else str(wanted),
        ) from error
    if pa.types.is_integer(wanted):
        return cast.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return pd.Series(cast.to_pandas(), dtype=object if pa.types.is_string(wanted) else None)
