from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact

from casemix.errors import EvaluationError
from casemix.evaluation.coincidences import excess
from casemix.evaluation.nearest_record import nearest_record

from .conftest import people

TRAIN, HOLDOUT = people(200, 0), people(200, 1)


def test_copying_the_training_records_is_found_by_every_number():
    near = nearest_record(TRAIN, HOLDOUT, TRAIN.copy(), seed=0)
    assert near.exact_copies == 1.0
    assert near.usual_copies == 0.0
    assert near.copies_p_value == pytest.approx(0.001)
    assert near.ratio < 1e-6
    assert near.closer_to_train.value == 1.0


def test_fresh_records_look_like_held_out_ones():
    near = nearest_record(TRAIN, HOLDOUT, people(200, 2), seed=0)
    assert near.exact_copies == near.usual_copies == 0.0
    assert near.copies_p_value == 1.0
    assert near.ratio == pytest.approx(1.0, abs=0.15)
    assert near.closer_to_train.interval[0] < 0.5 < near.closer_to_train.interval[1]


def test_the_ratio_of_nearest_distances_has_an_interval_around_it():
    near = nearest_record(TRAIN, HOLDOUT, people(200, 2), seed=0)
    low, high = near.interval
    assert low < near.ratio < high
    assert high - low < 0.5


def test_held_out_records_that_equal_training_records_are_counted():
    held_out = HOLDOUT.copy()
    held_out[:5] = TRAIN[:5]
    near = nearest_record(TRAIN, held_out, people(200, 2), seed=0)
    assert near.usual_copies == pytest.approx(5 / 200)
    assert near.exact_copies == 0.0


def test_unique_copies_are_those_of_one_subject_alone():
    """Two subjects have the same record; a third has two equal ones of its own."""
    train = TRAIN.copy()
    train[1], train[3] = train[0], train[2]
    whose = np.r_[0, 1, 2, 2, np.arange(4, 200)]
    made = people(200, 2)
    made[:3] = train[[0, 2, 4]]
    near = nearest_record(train, HOLDOUT, made, train_subjects=whose, seed=0)
    assert near.exact_copies == pytest.approx(3 / 200)
    assert near.unique_copies == pytest.approx(2 / 200)


@pytest.mark.parametrize("records", [1, 4])
def test_under_the_null_the_p_value_is_small_no_more_often_than_it_says(records):
    """Subjects have several records that coincide together; arms are alike."""
    rng = np.random.default_rng(0)
    found = []
    for seed in range(400):
        whose = [np.repeat(np.arange(n), records) for n in (120, 80)]
        arms = [(rng.random(n) < 0.1)[of] for n, of in zip((120, 80), whose, strict=True)]
        found.append(excess(*arms, *whose, seed=seed).p_value)
    assert 0.005 < np.mean(np.array(found) <= 0.05) < 0.08  # by record, .19 at four records


def test_the_p_value_is_that_of_fishers_exact_test_where_each_subject_has_one_record():
    made, held_out = np.arange(300) < 9, np.arange(200) < 2
    found = excess(made, held_out, np.arange(300), np.arange(200), seed=0)
    exact = fisher_exact([[9, 291], [2, 198]], alternative="greater").pvalue
    assert (found.made, found.held_out) == (0.03, 0.01)
    assert found.p_value == pytest.approx(exact, abs=0.03)


def test_too_few_records_are_an_error():
    with pytest.raises(EvaluationError, match="held-out records"):
        nearest_record(TRAIN, HOLDOUT[:3], TRAIN, seed=0)


def test_different_columns_are_an_error():
    with pytest.raises(EvaluationError, match="different columns"):
        nearest_record(TRAIN, HOLDOUT, TRAIN[:, :4], seed=0)
