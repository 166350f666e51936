"""Whether tables keep the rules of the OMOP model: fields, types, lengths, keys and links."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from casemix.errors import ArtifactError
from casemix.recipes.formats.omop import spec


def check_tables(written: Mapping[str, pa.Table]) -> None:
    """Raise where a table breaks a rule of the model.

    Links to vocabulary tables cannot be checked: casemix ships no vocabulary.

    Raises:
        ArtifactError: other fields or types, an empty required cell, a text that is too long, a
            key that is repeated, or a link to a row that does not exist.
    """
    for name, table in written.items():
        if table.schema.remove_metadata() != spec.arrow_schema(name):
            raise _broken(name, "its fields are not those of the model", table.column_names)
        for column in spec.tables()[name]:
            _check_cells(name, column, table[column.name])
        _check_key(name, table)
        _check_links(name, table, written)


def _check_cells(name: str, column: spec.Column, cells: pa.ChunkedArray) -> None:
    if column.required and cells.null_count:
        raise _broken(name, f"{cells.null_count} cells of '{column.name}' are empty")
    if column.length and len(cells):
        longest = pc.max(pc.utf8_length(cells)).as_py() or 0
        if longest > column.length:
            raise _broken(
                name,
                f"a text of '{column.name}' is too long",
                f"{longest} characters",
                f"{column.length} characters",
            )


def _check_key(name: str, table: pa.Table) -> None:
    key = list(spec.keys(name))
    if table.num_rows != table.group_by(key).aggregate([]).num_rows:
        raise _broken(name, f"its key {', '.join(key)} is repeated")


def _check_links(name: str, table: pa.Table, written: Mapping[str, pa.Table]) -> None:
    for column in spec.tables()[name]:
        other = written.get(column.references)
        if other is None:
            continue
        known = other[spec.keys(column.references)[0]]
        cells = table[column.name].drop_null()
        unknown = cells.filter(pc.invert(pc.is_in(cells, value_set=known)))
        if len(unknown):
            raise _broken(
                name,
                f"'{column.name}' names rows that do not exist",
                unknown.slice(0, 5).to_pylist(),
            )


def _broken(table: str, what: str, given: object = None, allowed: object = None) -> ArtifactError:
    return ArtifactError(
        f"The OMOP table {table} breaks the model: {what}.", given=given, allowed=allowed
    )
