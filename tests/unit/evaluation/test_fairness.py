from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Field, Kind, Schema
from casemix.core.metric import Goal
from casemix.errors import EvaluationError
from casemix.evaluation.fairness import BySubgroup, Resampled, by_subgroup, resampled, subgroups
from casemix.evaluation.utility import tstr

GROUPS = np.array(["F"] * 30 + ["M"] * 50 + ["X"] * 5 + [None] * 10, dtype=object)
VALUES = np.r_[np.full(30, 0.9), np.full(50, 0.7), np.zeros(15)]
NOISE = np.random.default_rng(0).normal(size=400)


def means(values, groups, *, goal=Goal.MAXIMISE, subjects=None, seed=0, minimum=20) -> BySubgroup:
    owner = np.arange(len(values)) if subjects is None else subjects
    metric = resampled(lambda rows: values[rows].mean(), owner, seed=seed)
    return by_subgroup(metric, groups, goal=goal, subjects=subjects, minimum=minimum)


def test_values_disparity_and_suppression():
    found = means(VALUES, GROUPS)
    assert {k: g.value for k, g in found.groups.items()} == {
        "F": pytest.approx(0.9),
        "M": pytest.approx(0.7),
        "X": None,
    }
    assert [g.n for g in found.groups.values()] == [30, 50, None]
    assert found.groups["X"].suppressed
    assert found.disparity.value == pytest.approx(0.2)
    assert found.disparity.worst == "M"
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("goal", "worst"), [(Goal.MAXIMISE, "M"), (Goal.MINIMISE, "F"), (Goal.DESCRIBE, "")]
)
def test_the_worst_group_depends_on_the_goal(goal, worst):
    assert means(VALUES, GROUPS, goal=goal).disparity.worst == worst


def test_missing_labels_form_no_group():
    found = means(VALUES, GROUPS, minimum=1)
    assert {k: g.n for k, g in found.groups.items()} == {"F": 30, "M": 50, "X": 5}


def test_subjects_not_rows_make_a_group_large():
    subjects = np.repeat([f"s{i}" for i in range(19)], 5)  # 95 rows of 19 subjects
    found = means(VALUES, np.repeat("F", 95), subjects=subjects)
    assert found.groups["F"].suppressed
    assert found.disparity is None


def test_intervals_cover_the_group_and_resample_its_subjects():
    values = NOISE.copy()
    alone = means(values, np.repeat("F", 400)).groups["F"]
    assert alone.interval[0] < values.mean() < alone.interval[1]
    assert np.ptp(alone.interval) == pytest.approx(2 * 1.96 / np.sqrt(400), rel=0.25)
    clustered = np.repeat(NOISE[:40], 10)
    wide = means(clustered, np.repeat("F", 400), subjects=np.repeat(np.arange(40), 10))
    narrow = means(clustered, np.repeat("F", 400))
    assert np.ptp(wide.groups["F"].interval) > 2 * np.ptp(narrow.groups["F"].interval)


def test_one_group_has_no_disparity():
    assert means(VALUES[:40], np.repeat("F", 40)).disparity is None


def test_an_undefined_group_stays_visible_and_out_of_the_disparity():
    def metric(rows):
        return Resampled(None if len(rows) == 30 else 0.7, (0.7,) * 50)

    found = by_subgroup(metric, GROUPS, goal=Goal.MAXIMISE)
    assert found.groups["F"].value is None
    assert found.groups["F"].n == 30
    assert found.disparity is None


def test_no_labels_at_all_are_an_error():
    with pytest.raises(EvaluationError, match="group label"):
        means(VALUES[:2], [None, None])


def test_equal_groups_are_told_from_unequal_ones():
    """The range of noisy values is never 0, so that its interval alone would accuse everyone."""
    groups = np.tile(["a", "b", "c", "d"], 100)
    p_values = []
    for seed in range(40):
        values = np.random.default_rng(seed).normal(size=400)
        found = means(values, groups, seed=seed).disparity
        assert found.interval[0] > 0
        p_values.append(found.p_value)
    assert np.mean(np.array(p_values) < 0.05) <= 0.15
    apart = NOISE + 0.6 * (groups == "c")
    found = means(apart, groups, goal=Goal.MINIMISE).disparity
    assert found.p_value < 0.02
    assert found.worst == "c"
    assert found.value > 2 * found.chance


def test_utility_by_subgroup_is_fair_where_it_is_and_quick():
    rng = np.random.default_rng(1)
    x, test_x = rng.normal(size=(200, 8)), rng.normal(size=(200, 8))
    y = np.where(x[:, 0] + 0.5 * rng.normal(size=200) > 0, "ill", "well")
    groups = np.tile(list("abcde"), 40)
    sign = np.where(groups == "e", -1.0, 1.0)  # in group e the marker means the opposite
    test_y = np.where(sign * test_x[:, 0] + 0.5 * rng.normal(size=200) > 0, "ill", "well")
    started = time.process_time()
    found = by_subgroup(
        lambda rows: tstr(x, y, test_x[rows], test_y[rows], seed=0), groups, goal=Goal.MAXIMISE
    )
    assert time.process_time() - started < 10
    assert found.disparity.worst == "e"
    assert found.groups["e"].value < 0.5 < 0.8 < found.groups["a"].value
    assert found.disparity.p_value < 0.02
    assert all(g.interval[0] <= g.value <= g.interval[1] for g in found.groups.values())


SCHEMA = Schema(
    (
        Field("sex", Kind.BINARY, levels=("F", "M")),
        Field("age", Kind.NUMERIC, "a"),
        Field("since_diagnosis", Kind.NUMERIC, "a"),
        Field("bmi", Kind.NUMERIC, "kg/m2"),
        Field("constant", Kind.NUMERIC),
        Field("diagnoses", Kind.CODES),
    )
)


def context(n: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sex": ["F", "M"] * (n // 2),
            "age": np.linspace(20, 90, n),
            "since_diagnosis": np.linspace(0, 12, n),
            "bmi": np.linspace(18, 36, n),
            "constant": 1.0,
            "diagnoses": [["I21"]] * n,
        }
    )


def test_subgroups_of_fields():
    judged = pd.DataFrame(
        {
            "sex": ["F", None, "M", "M"],
            "age": [39.9, 40.0, 74.9, 75.0],
            "since_diagnosis": [1.0, 5.0, 11.0, np.nan],
            "bmi": [10.0, 24.0, 29.0, np.nan],
            "constant": 1.0,
            "diagnoses": [[]] * 4,
        }
    )
    found = {name: list(labels) for name, labels in subgroups(judged, SCHEMA, context(90)).items()}
    assert found == {
        "sex": ["F", None, "M", "M"],
        "age": ["below 40 a", "40 to 59 a", "60 to 74 a", "75 or more a"],
        "since_diagnosis": ["below 4 a", "4 to below 8 a", "8 or more a", None],
        "bmi": ["below 24 kg/m2", "24 to below 30 kg/m2", "24 to below 30 kg/m2", None],
    }


def test_cuts_come_from_the_reference_alone():
    one, other = context(90), context(90).assign(bmi=np.linspace(40, 60, 90))
    assert set(subgroups(other, SCHEMA, one)["bmi"]) == {"30 or more kg/m2"}
    assert "bmi" not in subgroups(one, SCHEMA, one.assign(bmi=np.nan))
