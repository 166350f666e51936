from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import sqrtm
from sklearn.metrics.pairwise import rbf_kernel

from casemix.errors import EvaluationError
from casemix.evaluation.fidelity import (
    c2st,
    mmd_rbf,
    one_nearest_neighbour_accuracy,
)
from casemix.evaluation.frechet import frechet_distance


def cloud(n: int, seed: int, shift: float = 0.0, d: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, size=(n, d))


def test_c2st_cannot_tell_equal_distributions_apart():
    found = c2st(cloud(300, 0), cloud(300, 1), seed=0)
    assert found.interval[0] < 0.5 < found.interval[1]


@pytest.mark.parametrize("classifier", ["trees", "logistic"])
def test_c2st_grows_with_the_shift(classifier):
    values = [
        c2st(cloud(150, 0), cloud(150, 1, s), seed=0, classifier=classifier).value
        for s in (0, 0.4, 1.0)
    ]
    assert values == sorted(values)
    assert values[-1] > 0.85


def test_c2st_catches_independent_marginals_in_a_mixed_frame():
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    real = pd.DataFrame({"x": x, "c": np.where(x > 0, "high", "low")})
    mixed = pd.DataFrame({"x": x, "c": rng.permutation(real.c)})
    assert c2st(real, mixed, seed=0).value > 0.7


def test_c2st_catches_a_different_missing_pattern():
    real, made = cloud(200, 0), cloud(200, 1)
    real[::2, 0] = np.nan
    assert c2st(real, made, seed=0).value > 0.7


def test_c2st_of_repeated_subjects_does_not_leak_between_folds():
    """Each arm's 40 subjects repeat 10 times: split by record, trees would know them by heart."""
    real, made = np.repeat(cloud(40, 0), 10, axis=0), np.repeat(cloud(40, 1), 10, axis=0)
    subjects = np.repeat(np.arange(40), 10)
    by_subject = c2st(real, made, subjects_real=subjects, subjects_synthetic=subjects, seed=0)
    assert by_subject.interval[0] < 0.55
    assert c2st(real, made, seed=0).value > 0.95


def test_c2st_refuses_nan_for_the_logistic_classifier():
    with pytest.raises(EvaluationError, match="not finite"):
        c2st(np.full((20, 2), np.nan), cloud(20, 0, d=2), seed=0, classifier="logistic")


def test_nearest_neighbour_accuracy_is_half_for_equal_and_one_for_far_clouds():
    assert one_nearest_neighbour_accuracy(cloud(300, 0), cloud(300, 1), seed=0).value == (
        pytest.approx(0.5, abs=0.06)
    )
    assert one_nearest_neighbour_accuracy(cloud(50, 0), cloud(50, 1, 9), seed=0).value == 1.0


def test_nearest_neighbour_accuracy_falls_below_half_for_copies():
    real = cloud(100, 0)
    assert one_nearest_neighbour_accuracy(real, real + 1e-6, seed=0).value < 0.1


def test_nearest_neighbour_skips_records_of_the_same_subject():
    subjects = np.repeat(np.arange(60), 3)
    real = np.repeat(cloud(60, 0), 3, axis=0) + 1e-3 * cloud(180, 2)
    made = np.repeat(cloud(60, 1), 3, axis=0) + 1e-3 * cloud(180, 3)
    found = one_nearest_neighbour_accuracy(
        real, made, subjects_real=subjects, subjects_synthetic=subjects, seed=0
    )
    assert found.value == pytest.approx(0.5, abs=0.15)


def test_nearest_neighbour_accuracy_of_unequal_arms_is_an_error():
    with pytest.raises(EvaluationError, match="equal_sizes"):
        one_nearest_neighbour_accuracy(cloud(100, 0), cloud(20, 1), seed=0)


def test_mmd_equals_the_textbook_estimator():
    x, y = cloud(30, 0), cloud(40, 1, 0.5)
    mean, spread = x.mean(axis=0), x.std(axis=0)
    a, b = (x - mean) / spread, (y - mean) / spread
    both = np.concatenate([a, b])
    squares = ((both[:, None] - both[None]) ** 2).sum(axis=-1)
    median = np.median(squares[np.triu_indices(70, 1)])
    total = 0.0
    for factor in (0.5, 1.0, 2.0):
        gamma = 1 / (2 * factor**2 * median)
        kxx, kyy = rbf_kernel(a, gamma=gamma), rbf_kernel(b, gamma=gamma)
        within = (kxx.sum() - 30) / (30 * 29) + (kyy.sum() - 40) / (40 * 39)
        total += (within - 2 * rbf_kernel(a, b, gamma=gamma).mean()) / 3
    assert mmd_rbf(x, y, seed=0).value == pytest.approx(total)


def test_mmd_p_value_and_order():
    same, near, far = (mmd_rbf(cloud(150, 0), cloud(150, 1, s), seed=0) for s in (0, 0.4, 1))
    assert same.p_value > 0.05
    assert far.p_value < 0.01
    assert same.value < near.value < far.value
    assert far.interval[0] < far.value < far.interval[1]


def test_frechet_distance_equals_the_matrix_root_form():
    x, y = cloud(60, 0) @ np.diag([1, 2, 3, 4]), cloud(80, 1, 0.3)
    root = sqrtm(np.cov(x.T) @ np.cov(y.T))
    wanted = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(
        np.cov(x.T) + np.cov(y.T) - 2 * np.real(root)
    )
    assert frechet_distance(x, y) == pytest.approx(wanted)


def test_frechet_distance_equals_the_bures_wasserstein_distance_of_pot():
    import ot

    x, y = cloud(90, 2) @ np.diag([1, 2, 3, 4]), cloud(70, 3, 0.5)
    wanted = ot.gaussian.bures_wasserstein_distance(x.mean(0), y.mean(0), np.cov(x.T), np.cov(y.T))
    assert frechet_distance(x, y) == pytest.approx(float(wanted) ** 2)


def test_frechet_distance_of_a_pure_shift_is_its_square():
    x = cloud(20, 0, d=50)  # fewer rows than columns
    assert frechet_distance(x, x + 2.0) == pytest.approx(4.0 * 50)
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize("metric", [c2st, mmd_rbf, one_nearest_neighbour_accuracy])
def test_too_few_rows_are_an_error(metric):
    with pytest.raises(EvaluationError):
        metric(cloud(1, 0), cloud(1, 1), seed=0)


@pytest.mark.parametrize("metric", [c2st, mmd_rbf, one_nearest_neighbour_accuracy])
def test_different_widths_are_an_error(metric):
    with pytest.raises(EvaluationError, match="columns"):
        metric(cloud(30, 0, d=3), cloud(30, 1, d=4), seed=0)


def test_row_order_does_not_matter_for_distances():
    x, y = cloud(60, 0), cloud(60, 1, 0.5)
    moved = y[np.random.default_rng(0).permutation(60)]
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(x, moved))
    assert mmd_rbf(x, y, seed=0).value == pytest.approx(mmd_rbf(x, moved, seed=0).value)
    assert one_nearest_neighbour_accuracy(x, y, seed=0).value == (
        one_nearest_neighbour_accuracy(x, moved, seed=0).value
    )
