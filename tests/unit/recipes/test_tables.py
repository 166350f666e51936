from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.errors import MappingError, RunError
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


def test_a_column_named_for_patients_is_their_id_unless_told_otherwise(tmp_path):
    frame().to_csv(tmp_path / "table.csv", index=False)
    found = {s: read_cohorts({"a": tmp_path / "table.csv"}, subject=s) for s in ("", "none")}
    assert [len(read.cohorts["a"]) for read in found.values()] == [40, 80]
    assert "a guess by its name" in found[""].mapping


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
