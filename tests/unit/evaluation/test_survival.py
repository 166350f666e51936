from __future__ import annotations

import numpy as np
import pytest

from casemix.errors import EvaluationError
from casemix.evaluation.survival import (
    FOLLOW_UP,
    c_index,
    cox_ridge,
    follow_up,
    martingale_residuals,
)
from casemix.evaluation.utility import Utility, tstr, utility_gap


def ward(n: int, seed: int, d: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, times and events; hazard exp(x0 - x1), about a third censored."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    event_time = 10 * rng.exponential(np.exp(x[:, 1] - x[:, 0]))
    censoring = 30 * rng.exponential(size=n)
    return x, np.minimum(event_time, censoring), event_time <= censoring


def survival_tstr(x, time, event, test_x, test_time, test_event, **options) -> Utility:
    train_y, test_y = follow_up(time, event), follow_up(test_time, test_event)
    return tstr(x, train_y, test_x, test_y, measure="c_index", seed=0, **options)


def test_c_index_equals_a_loop_over_pairs_with_ties():
    rng = np.random.default_rng(0)
    risk, time = rng.integers(0, 6, (2, 60)).astype(float)
    event = rng.random(60) < 0.6
    right, pairs = 0.0, 0
    for i in range(60):
        for j in range(60):
            first = time[i] < time[j] or (time[i] == time[j] and not event[j])
            if event[i] and first:
                pairs += 1
                right += 1.0 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0.0
    assert c_index(risk, time, event) == pytest.approx(right / pairs)


def test_c_index_without_any_event_is_undefined():
    assert np.isnan(c_index([1.0, 2.0], [1.0, 2.0], [0, 0]))


def test_cox_coefficient_of_the_leukaemia_trial_is_the_published_one():
    """Freireich et al., Blood 1963: 6-MP against placebo, weeks; Breslow's form gives 1.509."""
    treated = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    relapse = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
    placebo_arm = np.repeat([0.0, 1.0], 21)
    found = cox_ridge(placebo_arm, treated + placebo, relapse + [1] * 21, penalty=1e-9)
    assert found == pytest.approx([1.509], abs=5e-4)


@pytest.mark.parametrize(
    ("penalty", "lifelines"),
    [
        (0.01, (1.24784052, 0.18419799, 0.11411016)),
        (0.1, (1.0158222, 0.14051988, 0.09660398)),
        (1.0, (0.38611312, 0.02880924, 0.04590153)),
    ],
)
def test_ridge_cox_equals_lifelines(penalty, lifelines):
    """Reference: lifelines 0.30.3, ``CoxPHFitter(penalizer=penalty)`` on these arrays."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    x = (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)
    event_time, censoring = 10 * rng.exponential(np.exp(-x[:, 0])), 20 * rng.exponential(size=60)
    event, time = event_time <= censoring, np.minimum(event_time, censoring)
    assert cox_ridge(x, time, event, penalty=penalty) == pytest.approx(lifelines, abs=2e-5)


def test_cox_without_events_has_no_effect():
    x, time, _ = ward(20, 0)
    assert cox_ridge(x, time, np.zeros(20), penalty=0.1) == pytest.approx(np.zeros(5))


@pytest.mark.parametrize(("n", "d"), [(12, 60), (40, 60), (300, 20)])
def test_cox_converges_with_more_columns_than_records_and_tied_times(n, d):
    x, time, event = ward(n, 1, d)
    x[:, -1] = 1.0
    for scale in (1.0, 5.0):
        assert np.isfinite(cox_ridge(scale * x, np.ceil(time / 10), event, penalty=0.05)).all()


def test_utility_falls_as_risks_are_shuffled():
    x, time, event = ward(150, 0)
    test = ward(200, 1)
    order = np.random.default_rng(0).permutation(150)
    real = survival_tstr(x, time, event, *test)
    shuffled = survival_tstr(x[order], time, event, *test)
    truth = c_index(test[0][:, 0] - test[0][:, 1], *test[1:])
    assert real.value == pytest.approx(truth, abs=0.02)
    assert real.interval[0] < real.value < real.interval[1]
    assert abs(shuffled.value - 0.5) < 0.15
    assert utility_gap(shuffled, real).interval[0] > 0.05


def test_missing_cells_are_filled_and_a_column_missing_throughout_is_ignored():
    x, time, event = ward(150, 0)
    x[::4, 2] = np.nan
    x[:, 4] = np.nan
    assert survival_tstr(x, time, event, *ward(150, 1)).value > 0.7


def test_training_without_events_scores_chance_and_says_so():
    x, time, _ = ward(50, 0)
    found = survival_tstr(x, time, np.zeros(50), *ward(50, 1))
    assert found.value == 0.5
    assert found.note == "no training record has the event"


def test_a_test_set_without_events_is_undefined_with_a_reason():
    x, time, _ = ward(50, 1)
    found = survival_tstr(*ward(50, 0), x, time, np.zeros(50))
    assert found.value is None
    assert "ordered" in found.note


def test_intervals_resample_subjects():
    x, time, event = ward(30, 1)
    test = np.repeat(x, 6, axis=0), np.repeat(time, 6), np.repeat(event, 6)
    train = ward(100, 0)
    wide = survival_tstr(*train, *test, test_subjects=np.repeat(np.arange(30), 6)).interval
    narrow = survival_tstr(*train, *test).interval
    assert wide[1] - wide[0] > 1.5 * (narrow[1] - narrow[0])


@pytest.mark.parametrize(
    ("time", "event", "message"),
    [([-1.0, 1.0], [0, 1], "range"), ([1.0, 2.0], [0, 2], "range"), ([1.0], [1, 0], "shape")],
)
def test_follow_up_outside_its_contract_is_an_error(time, event, message):
    with pytest.raises(EvaluationError, match=message):
        c_index([1.0, 2.0], time, event)


def test_martingale_residuals_equal_the_sum_over_risk_sets():
    rng = np.random.default_rng(0)
    time, event = rng.integers(0, 8, 40).astype(float), rng.random(40) < 0.6
    hazard = [
        sum(event[time == s].sum() / (time >= s).sum() for s in np.unique(time) if s <= t)
        for t in time
    ]
    found = martingale_residuals(follow_up(time, event))
    assert found == pytest.approx(event - np.array(hazard))
    assert found.sum() == pytest.approx(0.0, abs=1e-9)


def test_trees_learn_a_risk_that_no_linear_model_has():
    """The hazard is U-shaped in the first column: Cox's model sees nothing in it."""
    parts = []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(600, 4))
        event_time = 10 * rng.exponential(np.exp(1.5 - x[:, 0] ** 2))
        censoring = 30 * rng.exponential(size=600)
        parts.append((x, np.minimum(event_time, censoring), event_time <= censoring))
    oracle = c_index(parts[1][0][:, 0] ** 2, *parts[1][1:])
    trees = survival_tstr(*parts[0], *parts[1], model="trees").value
    assert survival_tstr(*parts[0], *parts[1], model="ridge").value < 0.55
    assert oracle - 0.05 < trees < oracle + 0.02


def test_targets_without_events_are_refused_in_survival():
    x = np.zeros((5, 1))
    real = follow_up(np.arange(5.0), np.ones(5))
    assert real.dtype == FOLLOW_UP
    with pytest.raises(EvaluationError, match="follow-up times with"):
        tstr(x, np.arange(5.0), x, real, measure="c_index", seed=0)
