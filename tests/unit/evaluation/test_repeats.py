from __future__ import annotations

import numpy as np
import pytest

from casemix.errors import EvaluationError
from casemix.evaluation.repeats import over_seeds
from casemix.evaluation.statistics import Estimate


def at(value: float, half: float, n: int = 50) -> Estimate:
    return Estimate(value, (value - half, value + half), n)


def test_seeds_that_agree_keep_the_interval_of_one():
    found = over_seeds([at(0.6, 0.1)] * 4)
    assert found.value == pytest.approx(0.6)
    assert found.interval == pytest.approx((0.5, 0.7))
    assert found.between == pytest.approx(0.0)


def test_seeds_that_disagree_widen_it():
    found = over_seeds([at(0.5, 0.1), at(0.6, 0.1), at(0.7, 0.1)])
    assert found.value == pytest.approx(0.6)
    assert found.between == pytest.approx(0.1)
    assert found.interval[1] - found.interval[0] > 0.25
    assert found.values == (0.5, 0.6, 0.7)


def test_without_subject_variance_it_is_the_t_interval_of_the_seeds():
    found = over_seeds([at(0.0, 0.0), at(1.0, 0.0)])
    half = 12.7062 * np.sqrt(0.5 / 2)  # t quantile of 0.975 at 1 degree of freedom
    assert found.interval == pytest.approx((0.5 - half, 0.5 + half), rel=1e-4)


def test_the_interval_covers_the_mean_of_all_seeds_as_often_as_it_says():
    """Each trial draws its subjects' deviation once and its seeds' three times."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(400):
        subjects = rng.normal(0, 0.05)
        seeds = rng.normal(0, 0.05, size=3)
        low, high = over_seeds([at(subjects + s, 1.96 * 0.05) for s in seeds]).interval
        covered.append(low < 0 < high)
    assert 0.92 < np.mean(covered) < 0.99


@pytest.mark.parametrize(
    "estimates",
    [
        [at(0.5, 0.1)],
        [at(0.5, 0.1), at(float("nan"), 0.1)],
        [at(0.5, 0.1, n=50), at(0.5, 0.1, n=60)],
    ],
)
def test_what_cannot_be_averaged_is_an_error(estimates):
    with pytest.raises(EvaluationError, match="over seeds"):
        over_seeds(estimates)
