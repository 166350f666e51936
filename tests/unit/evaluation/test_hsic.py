from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from casemix.errors import EvaluationError
from casemix.evaluation.hsic import _hollow_kernel, _unbiased_hsic, hsic


def test_unbiased_estimator_equals_its_definition_over_all_quadruples():
    rng = np.random.default_rng(0)
    k, m = (_hollow_kernel(rng.normal(size=(7, 2))) for _ in range(2))
    pairs, triples, quadruples = (list(permutations(range(7), r)) for r in (2, 3, 4))
    wanted = (
        np.mean([k[i, j] * m[i, j] for i, j in pairs])
        + np.mean([k[i, j] * m[q, r] for i, j, q, r in quadruples])
        - 2 * np.mean([k[i, j] * m[i, q] for i, j, q in triples])
    )
    assert _unbiased_hsic(k, m) == pytest.approx(wanted)


def test_independent_views_score_about_zero_and_equal_views_one():
    rng = np.random.default_rng(0)
    values = [hsic(rng.normal(size=(100, 5)), rng.normal(size=(100, 3))) for _ in range(20)]
    assert np.mean(values) == pytest.approx(0, abs=0.01)
    x = rng.normal(size=(100, 5))
    assert hsic(x, x) == pytest.approx(1.0)


def test_finds_dependence_without_correlation():
    x = np.random.default_rng(0).normal(size=300)
    assert hsic(x, x**2) > 0.1


def test_falls_as_noise_is_added():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    values = [hsic(x, x + noise * rng.normal(size=(200, 3))) for noise in (0.1, 1, 5)]
    assert values == sorted(values, reverse=True)


def test_a_constant_view_depends_on_nothing():
    assert hsic(np.ones((20, 2)), np.random.default_rng(0).normal(size=(20, 2))) == 0.0


def test_rows_that_do_not_pair_are_an_error():
    with pytest.raises(EvaluationError, match="do not pair"):
        hsic(np.zeros((5, 1)), np.zeros((6, 1)))
