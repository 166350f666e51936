"""A folder of tables is read by its keys, and written back with new keys and dates."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import yaml

from casemix.errors import CohortError, MappingError
from casemix.modalities.relational.generators.marginals import Marginals
from casemix.recipes.linked_tables import (
    check_keys,
    infer_keys,
    load_keys,
    read_tables,
    write_tables,
)

KEYS = {
    "subject": {"table": "patients", "key": "subject_id", "birth": "dob", "oldest": 90},
    "index": {"table": "admissions", "column": "admittime"},
    "tables": {
        "labs": {
            "parent": "admissions",
            "copies": {"subject_id": "subject"},
            "times": ["charttime"],
            "within": True,
        },
        "admissions": {
            "key": "hadm_id",
            "times": ["admittime", "dischtime"],
            "spans": [["admittime", "dischtime"]],
        },
        "diagnoses": {
            "parent": "admissions",
            "copies": {"subject_id": "subject"},
            "rank": "seq_num",
            "columns": {"code": {"kind": "categorical", "prefix": 3, "least": 1}},
        },
    },
}


def rows(n=12):
    patients, admissions, labs, diagnoses = [], [], [], []
    for s in range(n):
        patients.append((100 + s, "F" if s % 2 else "M", f"19{40 + s}-03-01"))
        for a in range(1 + s % 2):
            admission = 5000 + 10 * s + a
            day = pd.Timestamp("2150-01-01") + pd.Timedelta(days=40 * s + 9 * a)
            admissions.append(
                (100 + s, admission, day + pd.Timedelta("7h30m"), day + pd.Timedelta("50h"))
            )
            for k in range(2 + s % 3):
                time = day + pd.Timedelta(hours=9 + 5 * k)
                labs.append((100 + s, admission, time, ["Na", "K"][k % 2], 130.5 + k + s))
            diagnoses += [
                (100 + s, admission, k + 1, code) for k, code in enumerate(["4280", "4019"])
            ]
    return {
        "patients": pd.DataFrame(patients, columns=["subject_id", "gender", "dob"]),
        "admissions": pd.DataFrame(
            admissions, columns=["subject_id", "hadm_id", "admittime", "dischtime"]
        ),
        "labs": pd.DataFrame(labs, columns=["subject_id", "hadm_id", "charttime", "item", "value"]),
        "diagnoses": pd.DataFrame(diagnoses, columns=["subject_id", "hadm_id", "seq_num", "code"]),
    }


def folder(path, tables=None):
    path.mkdir(exist_ok=True)
    for name, frame in (tables or rows()).items():
        frame.to_csv(path / f"{name}.csv", index=False)
    return path


def test_tables_are_read_with_parents_first_and_times_in_hours(tmp_path):
    cohort = read_tables(folder(tmp_path), load_keys(KEYS)).cohort
    tables = cohort["relational"].payload
    assert next(f.name for f in tables.forms) == "admissions"
    assert tables.frames["admissions"]["admittime"].tolist()[:3] == [7.5, 7.5, 9 * 24 + 7.5]
    assert tables.frames["diagnoses"]["code"].tolist()[:2] == ["428", "401"]
    assert cohort.schema["age"].unit == "a"
    assert cohort.subjects.loc["100", "age"] == 90  # 209 years: hidden, so the oldest
    assert cohort.schema["gender"].levels == ("F", "M")


def test_what_is_written_has_new_keys_new_dates_and_no_broken_link(tmp_path):
    keys = load_keys(KEYS)
    cohort = read_tables(folder(tmp_path / "real"), keys).cohort
    write_tables(cohort, tmp_path / "out", keys, seed=3, ending="csv")
    broken = check_keys(tmp_path / "out", keys)
    assert set(broken) == set(keys.tables)
    assert all(count == 0 for found in broken.values() for count in found.values())
    real, made = (pd.read_csv(tmp_path / p / "admissions.csv") for p in ("real", "out"))
    assert list(made["hadm_id"]) == list(range(1, len(real) + 1))
    assert not set(made["admittime"]) & set(real["admittime"])
    hours = [pd.to_datetime(t["dischtime"]) - pd.to_datetime(t["admittime"]) for t in (real, made)]
    assert hours[0].tolist() == hours[1].tolist()
    assert pd.read_csv(tmp_path / "out" / "diagnoses.csv")["seq_num"].tolist()[:2] == [1, 2]


def test_what_is_written_reads_back_the_same(tmp_path):
    keys = load_keys(KEYS)
    first = read_tables(folder(tmp_path / "real"), keys).cohort["relational"].payload
    cohort = read_tables(tmp_path / "real", keys).cohort
    write_tables(cohort, tmp_path / "out", keys, seed=3)
    again = read_tables(tmp_path / "out", keys).cohort["relational"].payload
    for name in keys.tables:
        pd.testing.assert_frame_equal(again.frames[name], first.frames[name])


def test_generated_tables_are_written_without_a_broken_link(tmp_path):
    keys = load_keys({**KEYS, "text_keys": True})
    cohort = read_tables(folder(tmp_path / "real"), keys).cohort
    given = cohort.conditions("relational")
    made = Marginals().fit(cohort["relational"], given, seed=0).generate(given, seed=1)
    write_tables(replace(cohort, samples={"relational": made}), tmp_path / "out", keys, seed=0)
    assert {n for found in check_keys(tmp_path / "out", keys).values() for n in found.values()} == {
        0
    }
    key = pd.read_parquet(tmp_path / "out" / "admissions.parquet")["hadm_id"]
    assert key.iloc[0] == "admissions-1"


def test_the_check_finds_broken_links(tmp_path):
    tables = rows()
    tables["labs"].loc[3, "hadm_id"] = 1
    tables["admissions"].loc[1, "hadm_id"] = tables["admissions"].loc[0, "hadm_id"]
    broken = check_keys(folder(tmp_path, tables), load_keys(KEYS))
    assert broken["labs"]["orphans"] > 0
    assert broken["admissions"]["twice"] == 1


def test_orphans_are_an_error_or_dropped_and_counted(tmp_path):
    tables = rows()
    tables["labs"].loc[[3, 5], "hadm_id"] = 1
    path = folder(tmp_path, tables)
    with pytest.raises(CohortError, match="2 rows of 'labs'"):
        read_tables(path, load_keys(KEYS))
    keys = load_keys(KEYS)
    labs = replace(keys.tables["labs"], orphans="drop")
    read = read_tables(path, replace(keys, tables={**keys.tables, "labs": labs}))
    assert len(read.cohort["relational"].payload.frames["labs"]) == len(tables["labs"]) - 2
    assert any("2 of" in note for note in read.notes)


def test_a_repeated_key_is_an_error(tmp_path):
    tables = rows()
    tables["admissions"].loc[1, "hadm_id"] = tables["admissions"].loc[0, "hadm_id"]
    with pytest.raises(CohortError, match="used before"):
        read_tables(folder(tmp_path, tables), load_keys(KEYS))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"labs": {"parent": "admision"}}, "admissions"),
        ({"a": {"parent": "b", "key": "k"}, "b": {"parent": "a", "key": "k"}}, "cycle"),
        ({"labs": {"timess": ["charttime"]}}, "times"),
        ({"labs": {"parent": "diagnoses"}}, "no key"),
    ],
)
def test_mistakes_in_the_keys_are_named(change, match):
    with pytest.raises(MappingError, match=match):
        load_keys({**KEYS, "tables": {**KEYS["tables"], **change}})


def test_an_unknown_column_is_named(tmp_path):
    wrong = {**KEYS["tables"]["labs"], "times": ["charttim"]}
    keys = load_keys({**KEYS, "tables": {**KEYS["tables"], "labs": wrong}})
    with pytest.raises(MappingError, match="charttime"):
        read_tables(folder(tmp_path), keys)


def test_proposed_keys_find_the_tree_and_can_be_used(tmp_path):
    text = infer_keys(folder(tmp_path))
    content = yaml.safe_load(text)
    assert content["subject"] == {"table": "patients", "key": "subject_id"}
    assert content["tables"]["admissions"]["parent"] == "subject"
    assert content["tables"]["labs"]["parent"] == "admissions"
    assert content["tables"]["admissions"]["spans"] == [["admittime", "dischtime"]]
    cohort = read_tables(tmp_path, load_keys(content)).cohort
    assert len(cohort["relational"].payload.frames["labs"]) == len(rows()["labs"])


@pytest.mark.parametrize("name", ["mimic3_demo_tables", "eicu_demo_subset", "synthea_sample"])
def test_shipped_keys_are_valid(name):
    assert len(load_keys(name).tables) >= 4
