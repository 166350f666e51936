"""Violations are counted where a rule can be checked, and nowhere else."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from casemix.core.cohort import Cohort
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples
from casemix.errors import ConditionError, EvaluationError
from casemix.evaluation.constraints import Outcome, check, compare
from casemix.evaluation.rules.language import load_rules, parse_rules
from casemix.modalities.tabular.data import Table
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.generators.marginals import Marginals
from casemix.recipes.phantom.cohort import phantom_cohort

CONTEXT = Schema(
    (
        Field("age", Kind.NUMERIC, "a"),
        Field("sex", Kind.BINARY, levels=("F", "M")),
        Field("death_time", Kind.NUMERIC, "d"),
    )
)
COLUMNS = Schema(
    (
        Field("sodium", Kind.NUMERIC, "mmol/L"),
        Field("weight", Kind.NUMERIC, "kg"),
        Field("height", Kind.NUMERIC, "cm"),
        Field("bmi", Kind.NUMERIC, "kg/m2"),
        Field("diagnoses", Kind.CODES, code_system="ICD-10"),
    )
)
CHANNELS = (
    Field("systolic_bp", Kind.NUMERIC, "mm[Hg]"),
    Field("diastolic_bp", Kind.NUMERIC, "mm[Hg]"),
    Field("fio2", Kind.NUMERIC, "1"),
)
IDS = ("a", "b", "c", "d")
GAP = np.nan


def cohort() -> Cohort:
    """Four subjects; every rule below is broken by hand-picked cells of them."""
    subjects = pd.DataFrame(
        {
            "age": [30.0, 70.0, 50.0, GAP],
            "sex": ["F", "M", "M", None],
            "death_time": [GAP, 0.05, GAP, GAP],  # 1.2 h
        },
        index=list(IDS),
    )
    frame = pd.DataFrame(
        {
            "sodium": [140.0, 500.0, GAP, 10.0],
            "weight": [80.0, 80.0, 80.0, GAP],
            "height": [200.0, 200.0, 200.0, 200.0],
            "bmi": [20.0, 20.6, 31.0, 20.0],
            "diagnoses": [["O80.1"], ["O80", "I21"], ["C61"], ["C61"]],
        }
    )
    values = np.full((4, 3, 3), GAP, dtype=np.float32)
    values[:, :, 0], values[:, :, 1], values[:, :, 2] = 120, 80, 0.21
    values[1, 2, :2] = 70, 80
    values[2, :2, 1] = 120, GAP
    index = pd.DataFrame({"subject_id": IDS, "time": 0.0}, index=[f"{i}1" for i in IDS])
    hourly = index.set_axis([f"{i}-vitals" for i in IDS], axis=0)
    samples = {
        "tabular": Samples("tabular", index, Table(frame, COLUMNS)),
        "timeseries": Samples("timeseries", hourly, Series(values, 3600.0, CHANNELS)),
    }
    return Cohort(subjects, CONTEXT, samples)


def outcome(rule: str, cohort: Cohort, **findings: tuple[pd.DataFrame, Schema]) -> Outcome:
    (found,) = check(cohort, parse_rules("rules:\n  r: " + rule), findings=findings, seed=0)
    return found


def counts(found: Outcome) -> tuple[int, int, tuple[str, ...]]:
    return found.eligible, found.violating, found.examples


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            "{kind: range, modality: tabular, field: sodium, limits: {mmol/L: [50, 225]}}",
            (3, 2, ("b1", "d1")),
        ),
        (
            "{kind: range, modality: tabular, field: sodium, limits: {mmol/L: [50, 225]}, "
            "when: age > 40}",
            (1, 1, ("b1",)),
        ),
        ("{kind: expression, modality: context, holds: age < 60}", (3, 1, ("b",))),
        ("{kind: expression, modality: context, holds: age < 60, when: sex == 'F'}", (1, 0, ())),
        (
            "{kind: order, modality: timeseries, upper: systolic_bp, lower: diastolic_bp}",
            (11, 1, ("b-vitals",)),
        ),
        (
            "{kind: order, modality: timeseries, upper: systolic_bp, lower: diastolic_bp, "
            "strict: true}",
            (11, 2, ("b-vitals", "c-vitals")),
        ),
        (
            "{kind: order, modality: timeseries, upper: systolic_bp, lower: diastolic_bp, "
            "tolerance: 10}",
            (11, 0, ()),
        ),
        (
            "{kind: formula, modality: tabular, field: bmi, equals: weight / (height / 100) ** 2, "
            "units: {bmi: kg/m2, weight: kg, height: cm}, tolerance: 1}",
            (3, 1, ("c1",)),
        ),
        ("{kind: last, modality: timeseries, event: death_time}", (3, 1, ("b-vitals",))),
        (
            "{kind: last, modality: timeseries, event: death_time, tolerance_hours: 0.8}",
            (3, 0, ()),
        ),
        ("{kind: last, modality: tabular, event: death_time}", (1, 0, ())),
        (
            "{kind: codes, modality: tabular, system: ICD-10, codes: [O], sex: female, "
            "age: [9, 64]}",
            (2, 1, ("b1",)),
        ),
        (
            "{kind: codes, modality: tabular, system: ICD-10, codes: [C60-C63], sex: male}",
            (1, 0, ()),
        ),
        (
            "{kind: codes, modality: tabular, system: ICD-10, codes: [C61], age: [60, 124]}",
            (1, 1, ("c1",)),
        ),
    ],
)
def test_eligible_and_violating_rows(rule, expected):
    assert counts(outcome(rule, cohort())) == expected


def test_a_code_shorter_than_a_span_is_not_in_it():
    """ICD-9 codes that lost their leading zeros, such as 62 for 062, are no diseases of 614-629."""
    frame = pd.DataFrame({"diagnoses": [["62"], ["620.1"], ["6300"], []]})
    schema = Schema((Field("diagnoses", Kind.CODES, code_system="ICD-9-CM"),))
    index = pd.DataFrame({"subject_id": IDS, "time": 0.0}, index=list(IDS))
    coded = cohort().with_samples(Samples("tabular", index, Table(frame, schema)))
    rule = "{kind: codes, modality: tabular, system: ICD-9-CM, codes: [614-629], sex: female}"
    assert counts(outcome(rule, coded)) == (1, 1, ("b",))


def test_limits_hold_for_single_precision_channels_as_written():
    rule = "{kind: range, modality: timeseries, field: fio2, limits: {'1': [0.21, 1]}}"
    assert counts(outcome(rule, cohort())) == (12, 0, ())
    strict = "{kind: range, modality: timeseries, field: fio2, limits: {'1': [0.2101, 1]}}"
    assert outcome(strict, cohort()).violating == 12


def test_findings_and_what_other_modalities_record_once():
    found = pd.DataFrame({"timeseries.sodium.mean": [140.0, 499.0]}, index=["a-vitals", "b-vitals"])
    schema = Schema((Field("timeseries.sodium.mean", Kind.NUMERIC, "mmol/L"),))
    rule = (
        "{kind: formula, modality: timeseries, field: timeseries.sodium.mean, "
        "equals: tabular.sodium, tolerance: 0.5, "
        "units: {timeseries.sodium.mean: mmol/L, tabular.sodium: mmol/L}}"
    )
    assert counts(outcome(rule, cohort(), timeseries=(found, schema))) == (2, 1, ("b-vitals",))


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("{kind: expression, modality: imaging, holds: age > 1}", "no imaging records"),
        ("{kind: expression, modality: tabular, holds: sodiun > 1}", "Did you mean 'sodium'"),
        ("{kind: expression, modality: tabular, holds: age > 1}", "recorded elsewhere"),
        ("{kind: expression, modality: tabular, holds: bmi > 1, when: ward == 'x'}", "'ward'"),
        ("{kind: expression, modality: tabular, holds: bmi > 1, when: age > 99}", "no record"),
        ("{kind: range, modality: context, field: sex, limits: {'': [0, 1]}}", "binary"),
        ("{kind: last, modality: context, event: death_time}", "no times"),
        (
            "{kind: codes, modality: tabular, system: ICD-9, codes: [O], sex: female}",
            "no field of codes of ICD-9",
        ),
        (
            "{kind: codes, modality: tabular, system: ICD-10, codes: [X], sex: female}",
            "no record that it speaks about",
        ),
    ],
)
def test_what_cannot_be_checked_is_not_applicable_and_never_satisfied(rule, reason):
    found = outcome(rule, cohort())
    assert not found.applicable
    assert found.rate is None
    assert found.eligible == 0
    assert reason in found.note


@pytest.mark.parametrize(
    ("rule", "error", "message"),
    [
        (
            "{kind: range, modality: tabular, field: sodium, limits: {mg/dL: [0, 1]}}",
            EvaluationError,
            "Rule 'r'.*sodium.*mmol/L.*mg/dL",
        ),
        (
            "{kind: order, modality: tabular, upper: weight, lower: height}",
            EvaluationError,
            "'height' is in a unit",
        ),
        (
            "{kind: formula, modality: tabular, field: bmi, equals: weight / height, tolerance: 1, "
            "units: {bmi: kg/m2, weight: kg, height: m}}",
            EvaluationError,
            "'height' is in a unit",
        ),
        ("{kind: last, modality: tabular, event: sodium}", EvaluationError, "mmol/L"),
        (
            "{kind: codes, modality: tabular, system: ICD-9, field: diagnoses, codes: [O], "
            "sex: male}",
            EvaluationError,
            "another system",
        ),
        (
            "{kind: expression, modality: context, holds: sex == 'female'}",
            ConditionError,
            "Unknown level of 'sex'",
        ),
    ],
)
def test_units_systems_and_levels_are_never_compared_silently(rule, error, message):
    with pytest.raises(error, match=message):
        outcome(rule, cohort())


def test_a_shipped_rule_does_not_apply_to_a_unit_that_it_does_not_know():
    frame = pd.DataFrame({"age": [50.0, 400.0], "sodium": [140.0, 141.0]}, index=["a", "b"])
    schema = Schema((Field("age", Kind.NUMERIC), Field("sodium", Kind.NUMERIC, "mg/dL")))
    index = pd.DataFrame({"subject_id": frame.index, "time": 0.0}, index=frame.index)
    samples = {"tabular": Samples("tabular", index, Table(frame, schema))}
    found = check(Cohort(pd.DataFrame(index=frame.index), Schema(), samples), load_rules(), seed=0)
    notes = {o.rule: o.note for o in found if o.modality == "tabular" and "unit" in o.note}
    assert "no unit" in notes["age_possible"]
    assert any("mg/dL" in note for note in notes.values())
    assert not any(o.applicable for o in found)


def people(n: int, broken: int) -> Cohort:
    age = np.full(n, 40.0)
    age[:broken] = 200.0
    subjects = pd.DataFrame({"age": age}, index=[f"s{i}" for i in range(n)])
    return Cohort(subjects, Schema((Field("age", Kind.NUMERIC, "a"),)))


AGE = parse_rules(
    "rules: {age: {kind: range, modality: context, field: age, limits: {a: [0, 124]}}}"
)


def test_rates_and_their_intervals():
    (found,) = check(people(200, 20), AGE, seed=3)
    assert (found.eligible, found.violating, found.subjects) == (200, 20, 200)
    assert found.rate == pytest.approx(0.1)
    low, high = found.interval
    assert (low, high) == pytest.approx((0.06, 0.14), abs=0.02)
    assert check(people(200, 20), AGE, seed=3) == (found,)
    assert len(found.examples) == 5


def test_no_violation_is_no_proof():
    (none,) = check(people(30, 0), AGE, seed=0)
    assert none.rate == 0
    assert none.interval == pytest.approx((0.0, 0.1157), abs=1e-4)  # Clopper-Pearson, 0 of 30
    (all_,) = check(people(30, 30), AGE, seed=0)
    assert all_.interval == pytest.approx((0.8843, 1.0), abs=1e-4)


def test_a_subjects_rows_are_no_independent_evidence():
    values = np.full((20, 50, 1), 80.0, dtype=np.float32)
    values[:10] = 500.0
    index = pd.DataFrame(
        {"subject_id": [f"s{i}" for i in range(20)], "time": 0.0},
        index=[f"r{i}" for i in range(20)],
    )
    series = Series(values, 60.0, (Field("heart_rate", Kind.NUMERIC, "/min"),))
    made = people(20, 0).with_samples(Samples("timeseries", index, series))
    rule = "{kind: range, modality: timeseries, field: heart_rate, limits: {/min: [0, 350]}}"
    found = outcome(rule, made)
    assert (found.eligible, found.subjects, found.violating_subjects) == (1000, 20, 10)
    assert found.interval[1] - found.interval[0] > 0.3  # 20 subjects, not 1000 rows


def test_synthetic_against_real():
    real, alike, bad = (check(people(200, k), AGE, seed=s) for s, k in enumerate((2, 3, 60)))
    (same,) = compare(real, alike)
    (worse,) = compare(real, bad)
    assert same.difference == pytest.approx(0.005)
    assert not same.worse
    assert worse.worse
    assert worse.interval[0] < 0.29 < worse.interval[1]
    json.dumps([c.to_json() for c in (same, worse)], allow_nan=False)


def test_cohorts_without_any_violation_do_not_differ():
    clean = check(people(50, 0), AGE, seed=0)
    (found,) = compare(clean, clean)
    assert found.difference == 0
    assert found.interval[0] < 0 < found.interval[1]
    assert not found.worse


def test_one_side_not_applicable_leaves_the_difference_open():
    rule = parse_rules("rules: {r: {kind: expression, modality: tabular, holds: bmi > 1}}")
    (found,) = compare(check(cohort(), rule, seed=0), check(people(5, 0), rule, seed=0))
    assert found.difference is None
    assert not found.worse
    with pytest.raises(EvaluationError, match="different rules"):
        compare(check(cohort(), rule, seed=0), check(cohort(), AGE, seed=0))


def test_the_phantom_breaks_no_shipped_rule_and_its_marginals_do():
    real = phantom_cohort(60, seed=5)
    series, given = real["timeseries"], real.conditions("timeseries", [])
    made = Marginals().fit(series, given, seed=1).generate(given, seed=2)
    rules = load_rules()
    outcomes = check(real, rules, seed=0)
    assert sum(o.applicable for o in outcomes) >= 18
    assert [o.rule for o in outcomes if o.violating] == []
    worse = [
        c.real.rule
        for c in compare(outcomes, check(real.with_samples(made), rules, seed=0))
        if c.worse
    ]
    assert worse == ["systolic_above_diastolic"]
