"""One table in one file, CSV or parquet: empty cells and empty texts stay apart."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq

from casemix.errors import ArtifactError, did_you_mean

ENDINGS = (".csv", ".csv.gz", ".tsv", ".parquet")
_LONGEST_ROW = 1 << 24  # bytes
_SEPARATORS = (",", "\t", ";", "|")


def write_table(table: pa.Table, folder: Path, name: str, ending: str) -> None:
    """Write ``name.csv`` or ``name.parquet``; in CSV a missing cell is bare, "" is not."""
    path = folder / f"{name}{ending}"
    if ending == ".parquet":
        pq.write_table(table, path, compression="zstd")
    else:
        pc_csv.write_csv(table, path)


def find_table(root: Path, name: str) -> Path | None:
    """Return the file of a table below a folder, whatever the case of its name, or None.

    Raises:
        ArtifactError: two files could be it.
    """
    wanted = {f"{name.lower()}{ending}" for ending in ENDINGS}
    found = sorted(p for p in root.iterdir() if p.name.lower() in wanted and p.is_file())
    if len(found) > 1:
        raise ArtifactError(
            f"{root} holds the table {name} twice.",
            given=[p.name for p in found],
            next_step="Move one of them away.",
        )
    return found[0] if found else None


def read_table(
    path: Path,
    columns: Sequence[str],
    *,
    optional: Sequence[str] = (),
    any_case: bool = False,
    quoted: bool = True,
) -> pa.Table:
    """Return these columns of a table; CSV cells are text, and an empty cell is missing.

    Args:
        path: the file.
        columns: columns that it must have.
        optional: columns that are returned where it has them.
        any_case: whether the file may spell the columns' names with capitals.
        quoted: whether quotes enclose cells in a file of tabs; else they are text.

    Raises:
        ArtifactError: the file cannot be read, or lacks a column.
    """
    parquet = path.suffix.lower() == ".parquet"
    try:
        names, separator = (pq.read_schema(path).names, "") if parquet else _header(path)
        plain = {n: n.strip().lower() if any_case else n for n in names}
        kept = [n for n, name in plain.items() if name in {*columns, *optional}]
        table = (
            pq.read_table(path, columns=kept)
            if parquet
            else _read_csv(path, kept, separator, quoted or separator != "\t")
        )
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ArtifactError(f"{path} cannot be read.", given=str(error)) from error
    _check_columns(path, list(plain.values()), columns, optional)
    return table.select(kept).rename_columns([plain[n] for n in kept])


def _check_columns(
    path: Path, names: list[str], columns: Sequence[str], optional: Sequence[str]
) -> None:
    missing = [name for name in columns if name not in names]
    if missing:
        raise ArtifactError(
            f"{path} lacks the column '{missing[0]}'.",
            given=names,
            allowed=[*columns, *optional],
            next_step=did_you_mean(missing[0], names),
        )


def _header(path: Path) -> tuple[list[str], str]:
    """Return the columns of a CSV file and what separates them."""
    with pa.input_stream(path) as stream:  # unpacks .gz by the file's name
        header = stream.read(1 << 16).split(b"\n", 1)[0].decode("utf-8-sig")
    separator = max(_SEPARATORS, key=header.count)
    names = next(csv.reader([header.rstrip("\r")], delimiter=separator), [])
    if len(set(names)) < len(names):
        raise ValueError(f"two columns have one name: {', '.join(names)}")
    return names, separator


def _read_csv(path: Path, columns: list[str], separator: str, quoted: bool) -> pa.Table:
    """Return these columns, or all where none is named."""
    return pc_csv.read_csv(
        path,
        read_options=pc_csv.ReadOptions(block_size=_LONGEST_ROW),
        parse_options=pc_csv.ParseOptions(
            delimiter=separator, quote_char='"' if quoted else False, newlines_in_values=True
        ),
        convert_options=pc_csv.ConvertOptions(
            include_columns=columns,
            column_types=dict.fromkeys(columns, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=["", r"\N"],  # the latter is PostgreSQL's
        ),
    )
