"""How a CSV file is written: encoding, separator and decimal mark, and what is not a CSV at all."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

from casemix.recipes.mapping.parse import problem
from casemix.recipes.mapping.spec import TableSpec

_HEAD = 1 << 20  # bytes that are looked at
_LINES = 50
_SEPARATORS = (",", ";", "\t", "|")
_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
#: First bytes of files that are often renamed to .csv -> what they are.
_OTHERS = {
    b"PAR1": "a parquet file",
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "a gzip archive",
    b"%PDF": "a PDF",
    b"SQLite format 3": "an SQLite database",
}


def sniff(path: Path, place: str) -> TableSpec:
    """Return how a CSV or TSV file is written; see `TableSpec`.

    UTF-8 is tried first, then Windows-1252, which contains Latin-1's letters. The separator is
    the one that cuts the first lines into the same number of cells, at least two; commas decide
    about decimals only where another separator is used.

    Raises:
        MappingError: an empty file, or one that is not text.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    check_text(path, head, place)
    encoding = _encoding(path, head)
    text = head.decode(encoding, errors="replace")
    default = "\t" if path.suffix.lower() == ".tsv" else ","
    separator = _separator(text, default)
    decimal = "," if separator != "," and _decimal_commas(text, separator) else "."
    return TableSpec(
        path.name,
        separator="" if separator == default else separator,
        decimal="," if decimal == "," else ".",
        encoding="utf-8" if encoding == "utf-8-sig" else encoding,
    )


def check_text(path: Path, head: bytes, place: str) -> None:
    """Raise for a file that is empty, or that its first bytes give away as something else.

    Raises:
        MappingError: says what the file is.
    """
    if not head.strip():
        raise problem(
            place,
            f"{path.name} is empty.",
            allowed="a header line with the columns' names, then one line per row",
        )
    for mark, what in _OTHERS.items():
        if head.startswith(mark):
            raise problem(
                place,
                f"{path.name} is not what its ending says.",
                given=what,
                allowed="plain text",
                next_step="Rename it by what it is, or export it as CSV or parquet.",
            )
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise problem(
            place,
            f"{path.name} is not a text file: it holds zero bytes.",
            next_step="Export it as CSV (UTF-8) or parquet.",
        )


def _encoding(path: Path, head: bytes) -> str:
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name
    try:
        with path.open(encoding="utf-8") as stream:
            while stream.read(_HEAD):
                pass
    except UnicodeDecodeError:
        return "cp1252" if _cp1252(path) else "latin-1"
    return "utf-8"


def _cp1252(path: Path) -> bool:
    try:
        with path.open(encoding="cp1252") as stream:
            while stream.read(_HEAD):
                pass
    except UnicodeDecodeError:
        return False
    return True


def _rows(text: str, separator: str) -> list[list[str]]:
    lines = io.StringIO(text, newline="")
    rows = []
    try:
        for row in csv.reader(lines, delimiter=separator):
            rows += [row] if row else []
            if len(rows) > _LINES:
                break
    except csv.Error:  # a cell beyond csv's limit: what came before it decides
        pass
    return rows[:-1] if len(rows) > 2 else rows  # the last may be cut off


def _separator(text: str, default: str) -> str:
    """Return the separator whose most frequent number of cells is steadiest, then largest."""
    best, most = default, (0.0, 1)
    for separator in (default, *_SEPARATORS):
        rows = _rows(text, separator)
        if not rows:
            continue
        cells, count = Counter(len(row) for row in rows).most_common(1)[0]
        score = (count / len(rows), cells)
        if cells > 1 and len(rows[0]) == cells and score > most:
            best, most = separator, score
    return best


def _decimal_commas(text: str, separator: str) -> bool:
    """Return whether cells are written as 1,5; beside 1.5, a cell 1,500 is one of thousands."""
    cells = [cell.strip() for row in _rows(text, separator)[1:] for cell in row]
    commas = [cell.partition(",")[2] for cell in cells if _is_decimal(cell, ",")]
    points = any(_is_decimal(cell, ".") for cell in cells)
    return bool(commas) and not (points and all(len(digits) == 3 for digits in commas))


def _is_decimal(cell: str, mark: str) -> bool:
    whole, found, rest = cell.lstrip("+-").partition(mark)
    return bool(found) and whole.isdecimal() and rest.isdecimal()
