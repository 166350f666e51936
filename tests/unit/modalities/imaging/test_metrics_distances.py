from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from casemix.errors import EvaluationError
from casemix.modalities.imaging.distances import kernel_distance


def clouds(shift=0.0, n=60, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 5)), rng.normal(size=(n + 3, 5)) + shift


def test_it_is_the_unbiased_sum_over_pairs():
    a, b = clouds(0.5)
    own = [polynomial_kernel(x, degree=3, gamma=1 / 5, coef0=1) for x in (a, b)]
    within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in own]
    between = polynomial_kernel(a, b, degree=3, gamma=1 / 5, coef0=1).mean()
    assert kernel_distance(a, b, seed=0).value == pytest.approx(sum(within) - 2 * between)


def test_torchmetrics_agrees():
    reference = pytest.importorskip("torchmetrics.image.kid")
    torch = pytest.importorskip("torch")
    a, b = (torch.from_numpy(x[:60]) for x in clouds(0.5))
    wanted = float(reference.poly_mmd(a, b))
    assert kernel_distance(a.numpy(), b.numpy(), seed=0).value == pytest.approx(wanted)


def test_equal_distributions_are_near_zero_at_any_size():
    for n in (20, 60, 200):
        found = kernel_distance(*clouds(n=n), seed=0)
        assert found.interval[0] < 0.05
        assert found.p_value > 0.05


def test_it_grows_with_the_shift_and_its_test_notices():
    found = [kernel_distance(*clouds(shift), seed=0) for shift in (0.0, 0.3, 0.6, 1.2)]
    assert all(np.diff([f.value for f in found]) > 0)
    assert found[-1].p_value < 0.01
    assert found[-1].interval[0] > found[0].interval[1]


def test_the_order_of_rows_changes_nothing():
    a, b = clouds(0.3)
    order = np.random.default_rng(1).permutation(len(a))
    assert kernel_distance(a[order], b, seed=0).value == pytest.approx(
        kernel_distance(a, b, seed=0).value
    )


def test_too_few_rows_and_other_columns():
    a, b = clouds()
    with pytest.raises(EvaluationError, match="n >= 4"):
        kernel_distance(a[:3], b, seed=0)
    with pytest.raises(EvaluationError, match="5 and 4 columns"):
        kernel_distance(a, b[:, :4], seed=0)
