from __future__ import annotations

import numpy as np
import pytest

from casemix.errors import EvaluationError
from casemix.evaluation.utility import model_for, tstr, utility_gap


def labelled(n: int, seed: int, signal: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    x = rng.normal(size=(n, 4))
    x[:, 0] += signal * (y == 1)
    x[:, 1] += signal * (y == 2)
    return x, np.array(["well", "ill", "worse"])[y]


@pytest.mark.parametrize("n", [120, 500])  # the ridge model and the trees
def test_utility_falls_with_label_noise(n):
    test = labelled(300, 1)
    x, y = labelled(n, 0)
    rng = np.random.default_rng(2)
    values = []
    for noise in (0.0, 0.5, 1.0):
        noisy = np.where(rng.random(n) < noise, rng.permutation(y), y)
        values.append(tstr(x, noisy, *test, seed=0).value)
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.75
    assert values[-1] < 0.65


def test_a_class_missing_in_training_scores_as_chance_and_is_named():
    (x, y), test = labelled(400, 0), labelled(300, 1)
    kept = y != "worse"
    found = tstr(x[kept], y[kept], *test, seed=0)
    assert found.note == "no training record of class worse"
    assert 0.5 < found.value < tstr(x, y, *test, seed=0).value


def test_one_training_class_scores_exactly_chance():
    (x, _), test = labelled(100, 0), labelled(100, 1)
    assert tstr(x, np.full(100, "ill"), *test, seed=0).value == 0.5


def test_a_constant_test_target_is_undefined_with_a_reason():
    x, y = labelled(100, 0)
    found = tstr(x, y, x[:10], np.full(10, "ill"), seed=0)
    assert found.value is None
    assert found.interval is None
    assert "constant" in found.note


@pytest.mark.parametrize("n", [100, 600])
def test_regression_by_r2_and_rank_correlation(n):
    rng = np.random.default_rng(0)
    x, test = rng.normal(size=(n, 3)), rng.normal(size=(300, 3))
    y, target = x[:, 0] + 0.3 * rng.normal(size=n), test[:, 0] + 0.3 * rng.normal(size=300)
    assert tstr(x, y, test, target, measure="r2", seed=0).value > 0.7
    assert tstr(x, y, test, target, measure="spearman", seed=0).value > 0.8
    unrelated = rng.permutation(y)
    assert tstr(x, unrelated, test, target, measure="r2", seed=0).value < 0.2


def test_constant_training_target_in_regression_orders_nothing():
    x, target = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60.0)
    found = tstr(x, np.ones(60), x, target, measure="spearman", seed=0)
    assert found.value == 0.0
    assert found.note == "the model predicts a constant"


def test_missing_features_are_accepted_even_throughout_a_column():
    (x, y), (test_x, test_y) = labelled(120, 0), labelled(100, 1)
    x[:, 3] = np.nan
    x[::3, 2] = np.nan
    assert tstr(x, y, test_x, test_y, seed=0).value > 0.7


def test_gap_of_a_model_with_itself_is_zero_and_its_interval_too():
    (x, y), test = labelled(150, 0), labelled(150, 1)
    real = tstr(x, y, *test, seed=0)
    gap = utility_gap(real, real)
    assert gap.value == 0.0
    assert gap.interval == (0.0, 0.0)


def test_gap_of_shuffled_labels_is_clear_of_zero():
    (x, y), test = labelled(400, 0), labelled(300, 1)
    shuffled = tstr(x, np.random.default_rng(0).permutation(y), *test, seed=0)
    assert utility_gap(shuffled, tstr(x, y, *test, seed=0)).interval[0] > 0.1


def test_gap_of_an_undefined_utility_is_undefined():
    x, y = labelled(60, 0)
    undefined = tstr(x, y, x[:20], np.full(20, "ill"), seed=0)
    assert utility_gap(undefined, undefined).value is None


def test_gap_of_different_test_records_is_an_error():
    (x, y), test = labelled(100, 0), labelled(80, 1)
    with pytest.raises(EvaluationError, match="same test records"):
        utility_gap(tstr(x, y, *test, seed=0), tstr(x, y, x, y, seed=0))


def test_targets_that_do_not_fit_are_an_error():
    x, y = labelled(50, 0)
    with pytest.raises(EvaluationError, match="do not fit"):
        tstr(x, y[:-1], x, y, seed=0)


def test_trees_need_300_rows_and_five_per_column():
    shapes = [(299, 10), (300, 10), (300, 61), (305, 61)]
    assert [model_for(shape) for shape in shapes] == ["ridge", "trees", "ridge", "trees"]


def test_the_kind_of_model_may_be_given():
    """Only trees learn a product of columns."""
    rng = np.random.default_rng(0)
    x, test = rng.normal(size=(2, 600, 3))
    labels, target = (np.where(v[:, 0] * v[:, 1] > 0, "ill", "well") for v in (x, test))
    found = {kind: tstr(x, labels, test, target, model=kind, seed=0) for kind in ("ridge", "trees")}
    assert found["trees"].value > 0.9
    assert found["ridge"].value < 0.6
    assert tstr(x, labels, test, target, seed=0) == found["trees"]
