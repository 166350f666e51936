"""The benchmark of linked tables: a made-up clinic, real halves, and copies that must be caught."""

from __future__ import annotations

import importlib
from pathlib import Path

import pandas as pd
import pytest

from casemix.recipes.linked_tables import load_keys, read_tables

FOLDER = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def part(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return lambda name: importlib.import_module(f"linked_parts.{name}")


@pytest.fixture
def clinic(part, tmp_path):
    part("clinic").write(tmp_path, 80, seed=0)
    return tmp_path


def test_in_the_clinic_prices_follow_drugs_and_the_ward_before_is_that_of_the_visit_before(clinic):
    drugs = pd.read_parquet(clinic / "drugs.parquet")
    assert drugs["drug"].nunique() > 10
    assert drugs.groupby("drug")[["price", "unit"]].nunique().eq(1).all().all()
    visits = pd.read_parquet(clinic / "visits.parquet")
    before = visits.groupby("patient_id")["department"].shift()
    assert before.notna().any()
    assert visits["department_before"].fillna("").equals(before.fillna(""))


def test_copies_are_caught_and_the_guarded_half_has_no_level_of_four_subjects(part, clinic):
    cohort = read_tables(clinic, load_keys(str(clinic / "keys.yaml"))).cohort
    halves = cohort.split({"train": 0.5, "holdout": 0.5}, seed=0)
    train, holdout = halves["train"], halves["holdout"]
    arms, judging = part("arms"), part("judging")
    copies = arms.made("relational/copy_training", train, 0)
    row = judging.judged(copies, train, holdout, 0)
    assert row["copied"] > 0.15
    assert row["membership"] > row["control"] + 0.2
    frame = arms.made("real-guarded", train, 0).samples.payload.frames["diagnoses"]
    held = frame.drop_duplicates(["item", "code"])["code"].value_counts()
    assert held.min() >= 5
    assert len(held) < train["relational"].payload.frames["diagnoses"]["code"].nunique()


def test_the_guarded_half_keeps_rows_and_starts_and_no_largest_number(part, clinic):
    cohort = read_tables(clinic, load_keys(str(clinic / "keys.yaml"))).cohort
    real = cohort["relational"].payload.frames
    made = part("arms").made("real-guarded", cohort, 0).samples.payload.frames
    assert made["labs"]["taken"].tolist() == real["labs"]["taken"].tolist()
    assert made["labs"]["value"].max() != real["labs"]["value"].max()
    hours = [f["visits"]["ended"] - f["visits"]["begun"] for f in (real, made)]
    assert hours[0].max() not in set(hours[1])
    assert (hours[1] == hours[0]).mean() > 0.8
