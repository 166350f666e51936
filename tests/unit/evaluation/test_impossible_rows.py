from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.errors import EvaluationError
from casemix.evaluation.impossible_rows import RowRules


def patients(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    sex = np.where(rng.random(n) < 0.5, "F", "M").astype(object)
    pregnant = np.where((sex == "F") & (rng.random(n) < 0.3), "yes", "no").astype(object)
    diastolic = rng.normal(75, 12, n).round()
    systolic = diastolic + rng.integers(5, 70, n)
    ward = rng.integers(0, 6, n)
    ventilated = np.where(ward == 0, "yes", "no").astype(object)
    pressure = np.where(ventilated == "yes", rng.normal(20, 3, n).round(1), np.nan)
    return pd.DataFrame(
        {
            "sex": sex,
            "pregnant": pregnant,
            "systolic": systolic,
            "diastolic": diastolic,
            "ward": [f"w{k}" for k in ward],
            "floor": [f"f{k // 2}" for k in ward],
            "airway_pressure": pressure,
            "ventilated": ventilated,
        }
    )


def mixed(frame: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """The control, by degrees: a share of each column's cells goes to other rows."""
    rng = np.random.default_rng(seed)
    made = frame.copy()
    for name in made:
        rows = rng.permutation(len(made))[: int(share * len(made))]
        made.loc[rows, name] = made[name].to_numpy()[rng.permutation(rows)]
    return made


@pytest.fixture(scope="module")
def rules():
    return RowRules.fit(patients(1000, 0))


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"sex": "M", "pregnant": "yes"}, "pair", "sex = M never meets pregnant = yes"),
        ({"systolic": 60, "diastolic": 90}, "order", "diastolic <= systolic"),
        ({"ward": "w5", "floor": "f0"}, "function", "ward determines floor"),
        ({"systolic": 400}, "range", "systolic far beyond"),
        ({"systolic": 120.5}, "resolution", "systolic has at most 0 decimals"),
        (
            {"ventilated": "yes", "airway_pressure": np.nan},
            "pair",
            "airway_pressure missing never meets ventilated = yes",
        ),
    ],
)
def test_a_row_that_does_what_nobody_does_is_found(rules, change, kind, text):
    usual = {
        "sex": "F", "pregnant": "no", "systolic": 120, "diastolic": 80, "ward": "w5",
        "floor": "f2", "airway_pressure": np.nan, "ventilated": "no",
    }  # fmt: skip
    rows = pd.DataFrame([usual, usual | change])
    found = [r for r in rules.check(rows) if r.kind == kind and text in r.text]
    assert len(found) == 1
    assert found[0].broken.tolist() == [False, True]
    assert rules.broken(rows).tolist() == [False, True]


def test_training_rows_break_no_rule(rules):
    assert rules.check(patients(1000, 0)) == []
    assert len(rules) > 10


def test_fresh_rows_hardly_break_any_and_mixed_ones_more_and_more(rules):
    fresh = patients(1000, 1)
    rates = [rules.broken(mixed(fresh, share, 2)).mean() for share in (0.0, 0.1, 0.3, 1.0)]
    assert rates[0] < 0.02
    assert rates == sorted(rates)
    assert rates[-1] > 0.5


@pytest.mark.parametrize("n", [60, 300, 1500])
def test_independent_columns_suggest_no_rule_of_dependence(n):
    """At most 5 % of such tables of each kind may; none of these twenty does."""
    suggested = 0
    for seed in range(20):
        rules = RowRules.fit(mixed(patients(n, seed), 1.0, seed)[["sex", "systolic", "ward"]])
        suggested += len(rules.pairs) + len(rules.orders) + len(rules.functions)
    assert suggested == 0


def test_records_of_one_subject_count_once():
    few = patients(60, 0)
    often = few.loc[few.index.repeat(20)].reset_index(drop=True)
    known, blind = RowRules.fit(often, subjects=np.repeat(np.arange(60), 20)), RowRules.fit(often)
    fresh = patients(1000, 1)
    assert len(known.pairs) < len(blind.pairs)
    assert blind.broken(fresh).mean() > 0.5
    assert known.broken(fresh).mean() < 0.1


def test_row_order_does_not_matter(rules):
    moved = patients(1000, 0).sample(frac=1, random_state=0)
    again = RowRules.fit(moved)
    made = mixed(patients(300, 1), 0.5, 2)
    assert np.array_equal(rules.broken(made), again.broken(made))
    order = np.random.default_rng(0).permutation(300)
    assert np.array_equal(rules.broken(made.iloc[order]), rules.broken(made)[order])


def test_few_rows_and_other_columns_are_errors(rules):
    with pytest.raises(EvaluationError, match="29 subjects"):
        RowRules.fit(patients(29, 0))
    with pytest.raises(EvaluationError, match="ward"):
        rules.check(patients(40, 0).drop(columns="ward"))
