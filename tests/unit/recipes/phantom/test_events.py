"""Simulated event streams: the same subjects whatever n is, in an order that makes sense."""

from __future__ import annotations

import time

import numpy as np
import pytest

from casemix.core.cohort import Provenance
from casemix.modalities.events.rules import Rules
from casemix.recipes.phantom.events import phantom_events


@pytest.fixture(scope="module")
def cohort():
    return phantom_events(1500, seed=4)


def first_hours(frame, code):
    return frame[frame["code"] == code].groupby("item")["hours"].min()


def test_a_subject_is_the_same_whatever_n_is(cohort):
    few = phantom_events(20, seed=4)["events"].payload
    assert few.to_table().equals(cohort["events"].payload.take(np.arange(20)).to_table())
    other = phantom_events(20, seed=5)["events"].payload
    assert not few.to_table().equals(other.to_table())


def test_the_cohort_says_that_it_is_simulated(cohort):
    assert cohort.provenance is Provenance.PHANTOM
    assert len(cohort) == len(cohort["events"]) == 1500


def test_streams_have_the_length_and_the_codes_that_are_promised(cohort):
    frame = cohort["events"].payload.frame
    assert 80 <= frame["code"].nunique() <= 150
    times = len(frame[["item", "hours"]].drop_duplicates())
    tokens = (len(frame) + times + frame["value"].notna().sum()) / len(cohort)
    assert 40 <= tokens <= 80


def test_no_stream_breaks_a_rule(cohort):
    frame = cohort["events"].payload.frame
    rules = Rules.fit(frame)
    assert rules.last == {"MEDS_DEATH"}
    assert set(rules.closes.values()) == {"HOSPITAL_*"}
    assert sum(rules.violations(frame).values()) == 0


def test_drugs_follow_their_diagnosis_and_lines_follow_each_other(cohort):
    frame = cohort["events"].payload.frame
    diagnosed = first_hours(frame, "DIAGNOSIS//ICD10//E11")
    first, second = (first_hours(frame, f"DRUG//{d}") for d in ("METFORMIN", "EMPAGLIFLOZIN"))
    assert len(first) > 100
    assert (diagnosed.reindex(first.index) <= first + 720).mean() > 0.95  # told at discharge
    assert (first.reindex(second.index) < second).all()


def test_measurements_show_disease_and_treatment(cohort):
    frame = cohort["events"].payload.frame
    sugar = frame[frame["code"] == "LAB//HBA1C//%"]
    assert sugar["value"].mean() > 6.0  # it is measured in diabetes
    first, last = (getattr(sugar.groupby("item")["value"], k)() for k in ("first", "last"))
    assert (last - first).mean() < -0.1
    pressure = frame[frame["code"] == "LAB//SYSTOLIC_BP//mm[Hg]"]
    high = pressure["item"].isin(first_hours(frame, "DIAGNOSIS//ICD10//I10").index)
    assert pressure["value"][high].mean() > pressure["value"][~high].mean() + 8


def test_context_changes_what_happens(cohort):
    frame, subjects = cohort["events"].payload.frame, cohort.subjects
    dies = first_hours(frame, "MEDS_DEATH").index
    age = subjects["age"].to_numpy()
    assert age[dies].mean() > age.mean() + 5
    lung = first_hours(frame, "DIAGNOSIS//ICD10//J44").index
    smokes = (subjects["smoker"] == "yes").to_numpy()
    assert smokes[lung].mean() > 2 * smokes.mean()
    cancer = first_hours(frame, "DIAGNOSIS//ICD10//C61").index
    assert set(subjects["sex"].iloc[cancer]) == {"M"}


def test_ten_thousand_subjects_take_seconds():
    begun = time.process_time()
    phantom_events(10_000, seed=0)
    assert time.process_time() - begun < 10
