"""How CSV files are written, and files that are none."""

from __future__ import annotations

import gzip

import pytest

from casemix.errors import MappingError
from casemix.recipes.mapping.dialect import sniff
from casemix.recipes.mapping.files import read_table
from casemix.recipes.mapping.spec import TableSpec

ROWS = [["name", "größe"], ["Köln", "1,5"], ["a; b", "2,25"], ['q"', "3,0"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_table_reads_the_same_however_it_is_written(tmp_path, encoding, separator):
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in ROWS]
    text = "".join(separator.join(row) + "\r\n" for row in quoted)
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    spec = sniff(tmp_path / "t.csv", "table")
    frame = read_table(tmp_path, spec, "table")
    decimals = ["1,5", "2,25", "3,0"] if separator == "," else ["1.5", "2.25", "3.0"]
    assert frame.to_dict("list") == {"name": ["Köln", "a; b", 'q"'], "größe": decimals}


def test_commas_within_text_do_not_make_a_separator(tmp_path):
    (tmp_path / "t.csv").write_text("id;note\n1;a, b\n2;c\n3;d, e, f\n")
    assert sniff(tmp_path / "t.csv", "table") == TableSpec("t.csv", separator=";")


@pytest.mark.parametrize(
    ("rows", "decimal"),
    [("1,5;2\n", ","), ("1.5;2,25\n", ","), ("1.5;1,500\n", "."), ("1;2\n", ".")],
)
def test_a_decimal_comma_is_told_from_thousands(tmp_path, rows, decimal):
    (tmp_path / "t.csv").write_text("a;b\n" + rows * 5)
    assert sniff(tmp_path / "t.csv", "table").decimal == decimal


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"PAR1....", "not what its ending says.*a parquet file"),
        (b"PK\x03\x04....", "Excel workbook"),
        (gzip.compress(b"a,b", mtime=0), "a gzip archive"),
        (b"a,b\n1,\0\n", "not a text file"),
    ],
)
def test_what_is_no_csv_is_said(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    for read in (sniff, lambda path, place: read_table(path.parent, TableSpec("t.csv"), place)):
        with pytest.raises(MappingError, match=message):
            read(tmp_path / "t.csv", "table")


def test_repeated_names_and_a_wrong_encoding_are_errors(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,a\n1,2,3\n")
    with pytest.raises(MappingError, match=r"columns of the same name. Given: a"):
        read_table(tmp_path, TableSpec("t.csv"), "table")
    (tmp_path / "t.csv").write_bytes("a,b\nK\xf6ln,2\n".encode("latin-1"))
    with pytest.raises(MappingError, match=r"not written in utf-8.*encoding: cp1252"):
        read_table(tmp_path, TableSpec("t.csv"), "table")
