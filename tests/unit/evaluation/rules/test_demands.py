from __future__ import annotations

import pandas as pd
import pytest

from casemix.core.constrained import met
from casemix.core.fields import Field, Kind, Schema
from casemix.errors import EvaluationError
from casemix.evaluation.rules.demands import row_demands
from casemix.evaluation.rules.language import load_rules, parse_rules

STAY = Schema(
    (
        Field("length_of_stay", Kind.NUMERIC, "d"),
        Field("survival", Kind.NUMERIC, "d"),
        Field("in_hospital_death", Kind.BINARY),
    )
)
OWN = parse_rules(
    """
rules:
  adult_dose:
    kind: expression
    modality: tabular
    holds: dose <= 10
    when: age < 18
    source: choice
  dose_possible:
    kind: range
    modality: tabular
    field: dose
    limits: {mg: [0, 100]}
    source: choice
"""
)
AGE = Schema((Field("age", Kind.NUMERIC, "a"),))


def test_shipped_rules_judge_single_rows():
    rows = pd.DataFrame(
        {
            "length_of_stay": [3.0, 9.0, 9.0],
            "survival": [9.0, 3.0, 3.0],
            "in_hospital_death": ["yes", "yes", "no"],
        }
    )
    wanted = row_demands(load_rules(), "tabular", STAY, Schema())
    assert [d.text for d in wanted] == ["the rule death_before_discharge"]
    assert set(wanted[0].fields) == set(STAY.names)
    assert met(rows, wanted).tolist() == [False, True, True]


def test_own_rules_read_the_context_beside_the_table():
    dose = Schema((Field("dose", Kind.NUMERIC, "mg"),))
    rows = pd.DataFrame({"dose": [20.0, 20.0, 5.0, 500.0], "age": [12.0, 50.0, 12.0, 50.0]})
    wanted = row_demands(OWN, "tabular", dose, AGE)
    assert met(rows, wanted).tolist() == [False, True, True, False]
    assert set(wanted[0].fields) == {"dose", "age"}


def test_a_rule_in_another_unit_is_an_error_if_it_is_the_users_own():
    grams = Schema((Field("dose", Kind.NUMERIC, "g"),))
    with pytest.raises(EvaluationError):
        row_demands(OWN, "tabular", grams, AGE)
    stay = Schema((Field("glucose", Kind.NUMERIC, "furlongs"),))
    assert row_demands(load_rules(), "tabular", stay, Schema()) == ()
