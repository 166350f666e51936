"""MAUVE against numbers of the authors' package and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.metrics import auc

from casemix.errors import EvaluationError
from casemix.modalities.text.divergence import clusterings, frontier_area, shares


def test_the_area_is_that_of_the_authors_package():
    # mauve-text 0.4.0, get_divergence_curve_for_multinomials and the areas of both directions
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
    assert frontier_area(p, q) == pytest.approx(0.8214099836116461, abs=1e-12)


def test_the_area_is_that_of_the_plain_formula():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(12)), rng.dirichlet(np.ones(12))
    p[:3] = 0
    p /= p.sum()
    mixtures = [w * p + (1 - w) * q for w in np.linspace(1e-6, 1 - 1e-6, 25)]
    x = np.exp([-5 * entropy(q, r) for r in mixtures])
    y = np.exp([-5 * entropy(p, r) for r in mixtures])
    x, y = np.r_[0, x, 1], np.r_[1, y, 0]
    by_x, by_y = np.lexsort((-y, x)), np.lexsort((-x, y))
    expected = (auc(x[by_x], y[by_x]) + auc(y[by_y], x[by_y])) / 2
    assert frontier_area(p, q) == pytest.approx(expected, rel=1e-9)


def test_equal_distributions_have_area_one_and_disjoint_ones_nearly_none():
    assert frontier_area([0.5, 0.5], [0.5, 0.5]) == pytest.approx(1.0)
    assert frontier_area([1.0, 0.0], [0.0, 1.0]) < 0.02


def test_clusters_of_two_clouds_separate_them():
    rng = np.random.default_rng(0)
    real, made = rng.normal(size=(60, 4)) + 9, rng.normal(size=(40, 4)) - 9
    for found in clusterings(real, made, seed=0):
        assert found.k == 4
        assert not set(found.real) & set(found.synthetic)
        assert shares(found.real, found.k).sum() == pytest.approx(1.0)


def test_texts_that_are_all_alike_are_one_cluster():
    for found in clusterings(np.ones((30, 3)), np.ones((30, 3)), seed=0):
        p, q = (shares(x, found.k) for x in (found.real, found.synthetic))
        assert frontier_area(p, q) == pytest.approx(1.0)


def test_too_few_texts_are_an_error():
    with pytest.raises(EvaluationError, match="too few texts"):
        clusterings(np.ones((30, 3)), np.ones((19, 3)), seed=0)


def test_other_columns_are_an_error():
    with pytest.raises(EvaluationError, match="different columns"):
        clusterings(np.ones((30, 3)), np.ones((30, 4)), seed=0)
