"""The rule language is strict, and the shipped rules are complete and readable."""

from __future__ import annotations

import math

import numpy as np
import pytest

from casemix.errors import MappingError
from casemix.evaluation.rules.codes import Codes
from casemix.evaluation.rules.formula import compute, names_in
from casemix.evaluation.rules.kinds import Range
from casemix.evaluation.rules.language import (
    KINDS,
    load_rules,
    parse_rules,
    shipped_sets,
)

GOOD = """
rules:
  sodium:
    kind: range
    modality: tabular
    field: sodium
    limits: {mmol/L: [50, .inf]}
    when: sex == 'F'
"""


def test_a_rule_is_read_whole():
    (rule,) = parse_rules(GOOD)
    assert rule.name == "sodium"
    assert rule.modality == ("tabular",)
    assert rule.when == "sex == 'F'"
    assert rule.check == Range("sodium", {"mmol/L": (50.0, math.inf)})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: range", "kind: rnage", "Did you mean 'range'"),
        ("field: sodium", "feild: sodium", "unknown key 'feild'.*Did you mean 'field'"),
        ("field: sodium", "unit: sodium", "unknown key 'unit'"),
        ("    modality: tabular\n", "", "'modality' is missing"),
        ("    field: sodium\n", "", "'field' is missing"),
        ("[50, .inf]", "50", "list of 2"),
        ("[50, .inf]", "[low, 60]", "a number is needed"),
        ("[50, .inf]", "[true, 60]", "a number is needed"),
        ("[50, .inf]", "[.nan, 60]", "a number is needed"),
        ("[50, .inf]", "[60, 50]", "empty"),
        ("sex == 'F'", "sex = 'F'", "cannot be read"),
        ("sex == 'F'", "__import__('os')", "not a comparison"),
        ("rules:", "rulse:", "Did you mean 'rules'"),
        ("rules:", "without: [potassium]\nrules:", "no shipped rule 'potassium'"),
        ("    field: sodium", "    field: a\n    field: sodium", "'field' stands twice"),
        ("  sodium:\n", "  sodium:\n  - ", "not valid YAML|block of named keys"),
    ],
)
def test_a_mistake_is_named_with_its_place(old, new, message):
    assert old in GOOD
    with pytest.raises(MappingError, match=message):
        parse_rules(GOOD.replace(old, new))


@pytest.mark.parametrize(
    "rule",
    [
        "{kind: codes, modality: tabular, system: ICD-10, codes: [O]}",  # neither sex nor age
        "{kind: codes, modality: tabular, system: ICD-10, codes: [O], sex: F}",
        "{kind: codes, modality: tabular, system: ICD-10, codes: [O], age: [10]}",
        "{kind: codes, modality: tabular, system: ICD-10, codes: [O99-O1], sex: female}",
        "{kind: formula, modality: tabular, field: a, equals: b + c, units: {a: kg}, tolerance: 1}",
        "{kind: formula, modality: tabular, field: a, equals: open(b), units: {}, tolerance: 1}",
        "{kind: order, modality: tabular, upper: a, lower: b, strict: 1}",
    ],
)
def test_rules_without_meaning_are_refused(rule):
    with pytest.raises(MappingError, match="rules: x"):
        parse_rules("rules:\n  x: " + rule)


def test_the_users_rules_replace_and_leave_out_shipped_ones(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace("  sodium:", "  sodium_possible:") + "without: [ph_possible]\n")
    shipped = {rule.name: rule for rule in load_rules()}
    rules = {rule.name: rule for rule in load_rules(path)}
    assert set(shipped) - set(rules) == {"ph_possible"}
    assert rules["sodium_possible"].when == "sex == 'F'"
    assert [rule.name for rule in load_rules(path.with_name("mine.yaml"), sets=("adult",))]


def test_shipped_sets_are_all_readable_and_use_every_kind():
    assert shipped_sets() == ("adult", "cardiac", "codes")
    rules = load_rules(sets=shipped_sets())
    assert len(rules) > 60
    assert {rule.kind for rule in rules} == set(KINDS)
    assert all(rule.source for rule in rules)
    modalities = {m for rule in rules for m in rule.modality}
    assert modalities == {"context", "tabular", "timeseries", "text", "imaging"}


def test_names_of_shipped_rules_are_unique_over_the_sets():
    names = [rule.name for name in shipped_sets() for rule in load_rules(sets=(name,))]
    assert len(names) == len(set(names))


def test_unknown_set():
    with pytest.raises(MappingError, match="Did you mean 'adult'"):
        load_rules(sets=("adlut", "codes"))


def test_a_missing_file(tmp_path):
    with pytest.raises(MappingError, match="cannot be read"):
        load_rules(tmp_path / "none.yaml")


def test_formulas():
    columns = {"weight": np.array([80.0, 50.0, np.nan]), "t.height": np.array([200.0, 0.0, 170.0])}
    assert names_in("weight / (t.height / 100) ** 2") == ("weight", "t.height")
    assert compute("-weight / (t.height / 100) ** 2", columns) == pytest.approx(
        [-20.0, np.nan, np.nan], nan_ok=True
    )


@pytest.mark.parametrize("formula", ["a if b else c", "a.b()", "'a'", "a < b", "True + a", "a[0]"])
def test_nothing_but_arithmetic(formula):
    with pytest.raises(MappingError):
        compute(formula, {name: np.zeros(1) for name in ("a", "b", "c")})


def test_spans_of_codes_compare_prefixes_of_their_length():
    Codes(("ICD-10",), ("O00-O9A", "C51.0"), sex="female")
    with pytest.raises(MappingError, match="one length"):
        Codes(("ICD-10",), ("C5-C610",), sex="female")
