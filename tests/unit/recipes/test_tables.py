from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.errors import MappingError, RunError
from casemix.recipes.mapping.infer import infer_field, infer_mapping
from casemix.recipes.tables import read_cohorts


def frame(n=80, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "Patient ID": np.arange(n) // 2,
            "Age (years)": np.where(rng.random(n) < 0.1, np.nan, rng.integers(20, 90, n)),
            "sex": rng.choice(["F", "M"], n),
            "ward": rng.choice(["a", "b", "?"], n),
            "comment": [f"free text {i}" for i in range(n)],
            "nothing": np.nan,
        }
    )


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([1.5, 2.5, 3.5, 4.0], {"kind": "numeric", "range": [1.5, 4]}),
        (["1", "2", "3", "4"], {"kind": "numeric", "range": [1, 4]}),
        (["5", "NA", "7", "8", "9"], {"kind": "numeric", "range": [5, 9], "missing": ["NA"]}),
        (["F", "M", "F"], {"kind": "binary", "levels": ["F", "M"]}),
        ([0, 1, 1], {"kind": "binary", "levels": ["0", "1"]}),
        ([True, False], {"kind": "binary", "levels": ["false", "true"]}),
        (["10", "2", "low"], {"kind": "categorical", "levels": ["2", "10", "low"]}),
        ([np.nan, np.nan], None),
        (list(range(60)), None),
        ([f"text {i}" for i in range(60)], None),
        (pd.to_datetime(["2020-01-01", "2021-01-01"]), None),
    ],
)
def test_kinds_are_inferred_from_cells(cells, expected):
    assert infer_field(pd.Series(cells)) == expected


def test_names_become_field_names_and_what_is_left_out_is_said():
    text = infer_mapping(frame(), file="table.csv", subject="Patient ID")
    assert "Columns that were left out: comment, nothing." in text
    assert "age_years:" in text
    assert "column: Age (years)" in text


def test_a_table_becomes_a_cohort_by_its_own_mapping(tmp_path):
    frame().to_csv(tmp_path / "table.csv", index=False)
    read = read_cohorts({"data": tmp_path / "table.csv"}, subject="Patient ID")
    cohort = read.cohorts["data"]
    assert (len(cohort), len(cohort["tabular"])) == (40, 80)
    table = cohort["tabular"].payload
    assert table.schema.names == ("age_years", "sex", "ward")
    assert table.frame["ward"].isna().sum() == (frame()["ward"] == "?").sum()
    (tmp_path / "edited.yaml").write_text(read.mapping.replace("age_years", "age"))
    again = read_cohorts({"data": tmp_path / "table.csv"}, mapping=tmp_path / "edited.yaml")
    assert again.cohorts["data"]["tabular"].payload.schema.names == ("age", "sex", "ward")


def test_tables_that_are_read_together_share_levels_and_no_ids(tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        (tmp_path / name).mkdir()
        rows = frame(seed=seed).assign(site=f"{name}1")
        rows.loc[0, "site"] = "c1"
        rows.to_csv(tmp_path / name / "rows.csv", index=False)
    paths = {name: tmp_path / name / "rows.csv" for name in ("a", "b")}
    read = read_cohorts(paths)
    a, b = read.cohorts.values()
    assert a["tabular"].payload.schema == b["tabular"].payload.schema
    assert a["tabular"].payload.schema["site"].levels == ("a1", "b1", "c1")
    assert not set(a.subjects.index) & set(b.subjects.index)


def test_other_files_and_empty_tables_are_errors(tmp_path):
    (tmp_path / "table.xlsx").write_bytes(b"")
    with pytest.raises(RunError, match=r"not a table.*\.xlsx.*\.csv"):
        read_cohorts({"data": tmp_path / "table.xlsx"})
    for absent in ("absent", "absent.csv"):
        with pytest.raises(RunError, match="no such file or folder"):
            read_cohorts({"data": tmp_path / absent})
    pd.DataFrame({"note": [f"text {i}" for i in range(60)]}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(MappingError, match="no usable column"):
        read_cohorts({"data": tmp_path / "t.csv"})
    with pytest.raises(MappingError, match="no such subject column"):
        read_cohorts({"data": tmp_path / "t.csv"}, subject="id")
