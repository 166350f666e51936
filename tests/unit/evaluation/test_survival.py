from __future__ import annotations

import numpy as np
import pytest

from casemix.errors import EvaluationError
from casemix.evaluation.survival import c_index, cox_ridge, survival_tstr
from casemix.evaluation.utility import utility_gap


def follow_up(n: int, seed: int, d: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, times and events; hazard exp(x0 - x1), about a third censored."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    event_time = 10 * rng.exponential(np.exp(x[:, 1] - x[:, 0]))
    censoring = 30 * rng.exponential(size=n)
    return x, np.minimum(event_time, censoring), event_time <= censoring


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
    x, time, _ = follow_up(20, 0)
    assert cox_ridge(x, time, np.zeros(20), penalty=0.1) == pytest.approx(np.zeros(5))


@pytest.mark.parametrize(("n", "d"), [(12, 60), (40, 60), (300, 20)])
def test_cox_converges_with_more_columns_than_records_and_tied_times(n, d):
    x, time, event = follow_up(n, 1, d)
    x[:, -1] = 1.0
    for scale in (1.0, 5.0):
        assert np.isfinite(cox_ridge(scale * x, np.ceil(time / 10), event, penalty=0.05)).all()


def test_utility_falls_as_risks_are_shuffled():
    x, time, event = follow_up(150, 0)
    test = follow_up(200, 1)
    order = np.random.default_rng(0).permutation(150)
    real = survival_tstr(x, time, event, *test, seed=0)
    shuffled = survival_tstr(x[order], time, event, *test, seed=0)
    truth = c_index(test[0][:, 0] - test[0][:, 1], *test[1:])
    assert real.value == pytest.approx(truth, abs=0.02)
    assert real.interval[0] < real.value < real.interval[1]
    assert abs(shuffled.value - 0.5) < 0.15
    assert utility_gap(shuffled, real).interval[0] > 0.05


def test_missing_cells_are_filled_and_a_column_missing_throughout_is_ignored():
    x, time, event = follow_up(150, 0)
    x[::4, 2] = np.nan
    x[:, 4] = np.nan
    assert survival_tstr(x, time, event, *follow_up(150, 1), seed=0).value > 0.7


def test_training_without_events_scores_chance_and_says_so():
    x, time, _ = follow_up(50, 0)
    found = survival_tstr(x, time, np.zeros(50), *follow_up(50, 1), seed=0)
    assert found.value == 0.5
    assert found.note == "no training record has the event"


def test_a_test_set_without_events_is_undefined_with_a_reason():
    x, time, _ = follow_up(50, 1)
    found = survival_tstr(*follow_up(50, 0), x, time, np.zeros(50), seed=0)
    assert found.value is None
    assert "ordered" in found.note


def test_intervals_resample_subjects():
    x, time, event = follow_up(30, 1)
    test = np.repeat(x, 6, axis=0), np.repeat(time, 6), np.repeat(event, 6)
    train = follow_up(100, 0)
    wide = survival_tstr(*train, *test, test_subjects=np.repeat(np.arange(30), 6), seed=0).interval
    narrow = survival_tstr(*train, *test, seed=0).interval
    assert wide[1] - wide[0] > 1.5 * (narrow[1] - narrow[0])


@pytest.mark.parametrize(
    ("time", "event", "message"),
    [([-1.0, 1.0], [0, 1], "range"), ([1.0, 2.0], [0, 2], "range"), ([1.0], [1, 0], "shape")],
)
def test_follow_up_outside_its_contract_is_an_error(time, event, message):
    with pytest.raises(EvaluationError, match=message):
        c_index([1.0, 2.0], time, event)
