"""Tables: formats, filters, joins, and files that cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from casemix.errors import MappingError
from casemix.recipes.mapping.files import ArrayFiles, existing
from casemix.recipes.mapping.parse import parse
from casemix.recipes.mapping.report import Ledger
from casemix.recipes.mapping.spec import TableSpec
from casemix.recipes.mapping.tables import Tables


def tables(root: Path, **blocks) -> Tables:
    specs = {n: parse(TableSpec, block, f"tables.{n}") for n, block in blocks.items()}
    return Tables(root, specs, Ledger())


ROWS = "id,n,kind\n007,2,x\n008,10,y\n009,1,x\n009,,x\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_text(ROWS)
    return tmp_path


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet"])
def test_all_formats_give_the_same_rows(folder, name):
    frame = pd.read_csv(folder / "a.csv", dtype=str)
    if name == "a.tsv":
        frame.to_csv(folder / name, sep="\t", index=False)
    if name == "a.jsonl":
        frame.to_json(folder / name, orient="records", lines=True)
    if name == "a.parquet":
        frame.to_parquet(folder / name)
    read = tables(folder, a={"file": name})["a"]
    assert read["id"].tolist() == ["007", "008", "009", "009"]
    assert read["n"].isna().tolist() == [False, False, False, True]


def test_a_pattern_reads_several_files(folder):
    (folder / "b.csv").write_text(ROWS)
    assert len(tables(folder, a={"file": "*.csv"})["a"]) == 8


def test_semicolons_and_decimal_commas(tmp_path):
    (tmp_path / "a.csv").write_text("id;x\n1;1,5\n2;\n3;-2\n4;see 1,5\n")
    read = tables(tmp_path, a={"file": "a.csv", "separator": ";", "decimal": ","})["a"]
    assert read["x"].dropna().tolist() == ["1.5", "-2", "see 1,5"]


def test_where_compares_numbers_as_numbers(folder):
    found = tables(folder, a={"file": "a.csv", "where": "n > 1 and kind in ['x', 'y']"})
    assert found["a"]["id"].tolist() == ["007", "008"]
    assert found.ledger.dropped[0].count == 2


def test_require_and_match_and_distinct(folder):
    read = tables(folder, a={"file": "a.csv", "require": "n"})["a"]
    assert len(read) == 3
    read = tables(folder, a={"file": "a.csv", "match": {"id": "*9"}, "distinct": "id"})["a"]
    assert read["id"].tolist() == ["009"]


def test_order_by_sorts_text_numbers_as_numbers(folder):
    read = tables(folder, a={"file": "a.csv", "require": "n", "order_by": "n"})["a"]
    assert read["n"].tolist() == ["1", "2", "10"]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("kindd == 'x'", "Did you mean|not a field"),
        ("kind == 'z'", "Unknown level.*'z'"),
        ("__import__('os').getcwd() == 'x'", "not a field"),
        ("kind ==", "cannot be read"),
    ],
)
def test_a_wrong_filter_is_named(folder, where, message):
    with pytest.raises(MappingError, match=rf"tables\.a\.where: .*({message})"):
        tables(folder, a={"file": "a.csv", "where": where})["a"]


def test_a_filter_that_leaves_nothing_is_an_error(folder):
    with pytest.raises(MappingError, match="no row is left"):
        tables(folder, a={"file": "a.csv", "where": "n > 100"})["a"]


def test_join_matches_numbers_with_text(folder):
    pd.DataFrame({"id": ["007", "009"], "n": [2, 1], "v": [5.0, 6.0]}).to_parquet(
        folder / "b.parquet"
    )
    join = [{"table": "b", "on": ["id", "n"], "columns": {"w": "v"}}]
    read = tables(folder, a={"file": "a.csv", "join": join}, b={"file": "b.parquet"})["a"]
    assert read["w"].fillna(-1).tolist() == [5.0, -1.0, 6.0, -1.0]


def test_join_on_a_repeated_key_is_an_error_unless_first(folder):
    join = {"table": "b", "on": "id", "columns": {"w": "n"}}
    blocks = {"a": {"file": "a.csv", "join": [join]}, "b": {"file": "a.csv"}}
    with pytest.raises(MappingError, match=r"tables\.a\.join\.0.*several times.*009"):
        tables(folder, **blocks)["a"]
    join["repeated"] = "first"
    assert tables(folder, **blocks)["a"]["w"].tolist() == ["2", "10", "1", "1"]


def test_joins_in_a_circle_are_an_error(folder):
    def block(other: str) -> dict:
        return {"file": "a.csv", "join": [{"table": other, "on": "id", "columns": {"w": "n"}}]}

    with pytest.raises(MappingError, match="circle"):
        tables(folder, a=block("b"), b=block("a"))["a"]


def test_a_missing_file_says_what_is_there(folder):
    with pytest.raises(MappingError, match=r"no file 'b\.csv'.*a\.csv"):
        tables(folder, a={"file": "b.csv"})["a"]


def test_a_truncated_parquet_is_an_error(folder):
    pd.DataFrame({"x": range(1000)}).to_parquet(folder / "t.parquet")
    whole = (folder / "t.parquet").read_bytes()
    (folder / "t.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MappingError, match=r"t\.parquet cannot be read.*cut short"):
        tables(folder, a={"file": "t.parquet"})["a"]


@pytest.mark.parametrize("name", ["/etc/passwd", "../a.csv", "x/../../a.csv", "..\\a.csv"])
def test_a_name_that_leaves_the_root_is_refused(folder, name):
    with pytest.raises(MappingError, match="must stay below the root"):
        existing(folder, name, "place")


def test_a_link_that_leaves_the_root_is_refused(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.csv"
    outside.write_text(ROWS)
    (folder / "link.csv").symlink_to(outside)
    with pytest.raises(MappingError, match="must stay below the root"):
        tables(folder, a={"file": "link.csv"})["a"]


def test_arrays_of_objects_are_refused(folder):
    np.savez(folder / "o.npz", x=np.array([{"a": 1}], dtype=object))
    np.savez(folder / "n.npz", x=np.arange(3))
    assert ArrayFiles(folder).get("n.npz", "x", "place").tolist() == [0, 1, 2]
    with pytest.raises(MappingError, match=r"o\.npz cannot be read"):
        ArrayFiles(folder).get("o.npz", "x", "place")
    with pytest.raises(MappingError, match=r"no array 'y'.*Allowed: x"):
        ArrayFiles(folder).get("n.npz", "y", "place")


def test_a_damaged_array_file_is_an_error(folder):
    np.savez(folder / "n.npz", x=np.arange(3000))
    (folder / "n.npz").write_bytes((folder / "n.npz").read_bytes()[:500])
    with pytest.raises(MappingError, match=r"n\.npz cannot be read"):
        ArrayFiles(folder).get("n.npz", "x", "place")
