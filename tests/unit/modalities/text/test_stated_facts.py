"""What notes state of their records: learnt on noisy toy notes, and counted by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from casemix.core.fields import Field, Kind, Schema
from casemix.errors import EvaluationError
from casemix.modalities.text.stated_facts import RecordReader, rate

SCHEMA = Schema(
    (
        Field("age", Kind.NUMERIC, unit="a"),
        Field("htn", Kind.BINARY),
        Field("sex", Kind.BINARY, levels=("F", "M")),
        Field("shoe", Kind.NUMERIC),
    )
)
WORD = {"F": "woman", "M": "man"}


def record(i):
    rng = np.random.default_rng(i)
    return {
        "age": float(rng.integers(20, 90)),
        "htn": "yes" if rng.random() < 0.5 else "no",
        "sex": "F" if rng.random() < 0.5 else "M",
        "shoe": float(rng.integers(36, 46)),
    }


def note(r):
    history = "History of HTN." if r["htn"] == "yes" else "No history of HTN."
    return f"HISTORY: {r['age']:.0f}-year-old {WORD[r['sex']]}. {history}"


@pytest.fixture(scope="module")
def cohort():
    records = pd.DataFrame([record(i) for i in range(120)])
    return [note(r) for r in records.to_dict("records")], records


@pytest.fixture(scope="module")
def reader(cohort):
    notes, records = cohort
    noisy = records.copy()
    noisy.loc[:2, "sex"] = [{"F": "M", "M": "F"}[s] for s in noisy.loc[:2, "sex"]]  # mistakes
    return RecordReader.fit(notes, noisy, SCHEMA)


def test_fields_that_notes_state_are_found_despite_mistakes_in_the_records(reader):
    assert reader.schema.names == ("age", "htn", "sex")
    assert reader.usual == {
        ("age", "#"), ("htn", "yes"), ("htn", "no"), ("sex", "F"), ("sex", "M")
    }  # fmt: skip


def test_a_negation_is_not_read_as_its_opposite(reader):
    said = reader.said("HISTORY: 63-year-old woman. No history of HTN.")
    assert set(said) == {("age", 63.0), ("htn", "no"), ("sex", "F")}
    assert ("htn", "yes") in reader.said("HISTORY: 63-year-old woman. History of HTN.")


def test_right_wrong_and_missing_facts_are_counted(reader):
    records = pd.DataFrame([{"age": 63.0, "htn": "yes", "sex": "F", "shoe": 40.0}] * 3)
    notes = [
        "HISTORY: 63-year-old woman. History of HTN.",
        "HISTORY: 36-year-old woman. No history of HTN.",
        "HISTORY: Stable.",
    ]
    read = reader.read(notes, records)
    by_note = read.stated.groupby("note")["right"].agg(["sum", "size"])
    assert by_note.to_numpy().tolist() == [[3, 3], [1, 3]]
    assert read.expected.groupby("note")["right"].sum().tolist() == [3, 1, 0]
    assert len(read.expected) == 9


def test_what_is_not_recorded_is_neither_right_nor_wrong(reader):
    records = pd.DataFrame([{"age": np.nan, "htn": None, "sex": "F", "shoe": np.nan}])
    read = reader.read(["HISTORY: 63-year-old woman. History of HTN."], records)
    assert read.stated["field"].tolist() == ["sex"]
    assert read.expected["field"].tolist() == ["sex"]


def test_numbers_agree_within_their_last_digit(reader):
    records = pd.DataFrame({"age": [63.4, 63.6], "htn": None, "sex": None, "shoe": np.nan})
    read = reader.read(["A 63-year-old woman."] * 2, records)
    assert read.stated["right"].tolist() == [True, False]


def test_the_rate_and_its_interval_resample_subjects():
    facts = pd.DataFrame({"note": [0, 0, 1, 2], "field": list("aabb"), "right": [1, 1, 0, 1]})
    found = rate(facts, "right", np.array(["x", "x", "y"]), seed=0, fewest=1)
    assert found.value == 0.75
    assert found.by_field == {"a": 1.0, "b": 0.5}
    assert found.interval == pytest.approx((2 / 3, 1.0))  # x has 2 of 3, y has 1 of 1


def test_a_rate_without_any_error_has_an_interval():
    facts = pd.DataFrame({"note": range(30), "field": "a", "right": True})
    found = rate(facts, "right", np.arange(30), seed=0)
    exact = binomtest(30, 30).proportion_ci(0.95, method="exact")
    assert found.interval == pytest.approx((exact.low, exact.high))
    none = rate(facts.assign(right=False), "right", np.arange(30), seed=0)
    assert none.interval == pytest.approx((1 - exact.high, 1 - exact.low))


def test_notes_that_state_nothing_recorded_teach_no_field(cohort):
    assert RecordReader.fit(["No pain."] * 120, cohort[1], SCHEMA).schema.names == ()


def test_too_few_notes_are_an_error(cohort):
    notes, records = cohort
    with pytest.raises(EvaluationError, match="too few training notes"):
        RecordReader.fit(notes[:19], records[:19], SCHEMA)


def test_too_few_facts_are_an_error():
    facts = pd.DataFrame({"note": [0], "field": ["a"], "right": [True]})
    with pytest.raises(EvaluationError, match="too few facts"):
        rate(facts, "right", np.array(["x"]), seed=0)
