from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.errors import EvaluationError
from casemix.evaluation.rare_levels import rare_level_coverage, rare_value_excess


def wards(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    shares = 0.6 ** np.arange(16)
    ward = rng.choice([f"w{k:02d}" for k in range(16)], n, p=shares / shares.sum())
    night = np.where(rng.random(n) < 0.3, "night", "day").astype(object)
    return pd.DataFrame(
        {"ward": ward.astype(object), "shift": night, "cost": rng.normal(1000, 300, n).round()}
    )


def test_coverage_of_a_counted_example():
    real = pd.DataFrame({"a": ["x"] * 97 + ["rare", "rarer", "rarer"], "b": ["y"] * 100})
    made = pd.DataFrame({"a": ["x"] * 99 + ["rarer"], "b": ["y"] * 99 + ["z"]})
    found = rare_level_coverage(real, made)
    assert found.counts == {"levels, 1-5 %": 2, "pairs, 1-5 %": 2}
    assert found.parts == {"levels, 1-5 %": 0.5, "pairs, 1-5 %": 0.0}
    assert found.value == 0.25


def test_missing_cells_are_no_level():
    real = pd.DataFrame({"a": ["x"] * 98 + ["rare", None]})
    assert rare_level_coverage(real, real).counts == {"levels, 1-5 %": 1}


def test_every_forgotten_level_costs_and_real_is_near_best():
    real, fresh = wards(1000, 0), wards(1000, 1)
    ranked = fresh["ward"].value_counts().index
    values = [
        rare_level_coverage(real, fresh[fresh["ward"].isin(ranked[:kept])]).value
        for kept in (16, 9, 6, 3)
    ]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.75
    assert values[-1] == 0.0
    assert rare_level_coverage(real, real).value == 1.0


def excess(members, others, made):
    people = [np.arange(len(arm)) for arm in (members, others)]
    return rare_value_excess(
        members, others, made, subjects_members=people[0], subjects_others=people[1], seed=0
    )


def test_copies_give_members_away_and_every_copied_row_more():
    members, others, fresh = wards(400, 0), wards(400, 1), wards(400, 2)
    found = [
        excess(members, others, pd.concat([members[:copied], fresh[copied:]]))
        for copied in (0, 100, 200, 400)
    ]
    values = [f.value for f in found]
    assert values == sorted(values)
    assert found[0].interval[0] < 0 < found[0].interval[1]
    assert found[-1].members == 1.0
    assert found[-1].interval[0] > 0.2


def test_a_value_of_two_records_of_one_subject_is_singular_and_of_two_subjects_is_not():
    members = pd.DataFrame({"x": [*range(20), 50.0, 50.0, 60.0, 60.0]})
    owners = np.array([*range(20), 20, 20, 21, 22])
    found = rare_value_excess(
        members, pd.DataFrame({"x": np.arange(100.0, 120.0)}), pd.DataFrame({"x": [50.0, 60.0]}),
        subjects_members=owners, subjects_others=np.arange(20), seed=0,
    )  # fmt: skip
    assert found.members == pytest.approx(1 / 21)
    assert found.others == 0.0
    assert found.n == 20


def test_row_order_does_not_matter():
    real, made = wards(300, 0), wards(300, 1)
    moved = made.sample(frac=1, random_state=0)
    assert rare_level_coverage(real, made) == rare_level_coverage(real, moved)
    assert excess(real, made, wards(300, 2)).value == pytest.approx(
        excess(real, moved, wards(300, 2)).value
    )


def test_nothing_rare_is_an_error():
    plain = pd.DataFrame({"a": ["x", "y"] * 20, "n": np.zeros(40)})
    with pytest.raises(EvaluationError, match="rare"):
        rare_level_coverage(plain, plain)
    with pytest.raises(EvaluationError, match="Too few values are singular"):
        excess(plain, plain, plain)
