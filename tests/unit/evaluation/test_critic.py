from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from casemix.errors import EvaluationError
from casemix.evaluation.critic import Critic, fit_critic
from casemix.evaluation.statistics import Affine


def test_scores_are_the_pointwise_mutual_information_of_a_gaussian():
    rho, identity = 0.6, Affine(np.zeros(1), np.eye(1))
    scores = Critic(identity, identity, np.array([rho])).scores([[0.3], [-1.0]], [[1.2]])
    for u, found in zip((0.3, -1.0), scores[:, 0], strict=True):
        joint = multivariate_normal([0, 0], [[1, rho], [rho, 1]]).logpdf([u, 1.2])
        pmi = joint - norm.logpdf(u) - norm.logpdf(1.2)
        assert found == pytest.approx(pmi + 0.5 * np.log(1 - rho**2))


def test_canonical_correlations_are_not_inflated_by_a_small_sample():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(120, 1))
    first = np.c_[shared + 0.5 * rng.normal(size=(120, 1)), rng.normal(size=(120, 14))]
    second = np.c_[shared + 0.5 * rng.normal(size=(120, 1)), rng.normal(size=(120, 14))]
    critic = fit_critic(first, second, seed=0)
    assert critic.correlations.max() <= 0.87  # in truth 0.8, in sample above 0.9
    assert np.count_nonzero(critic.correlations > 0.3) <= 2


def test_unrelated_views_leave_next_to_nothing_to_score():
    rng = np.random.default_rng(1)
    critic = fit_critic(rng.normal(size=(300, 10)), rng.normal(size=(300, 10)), seed=0)
    assert np.sum(critic.correlations**2) < 0.05


def test_scores_do_not_depend_on_units_or_offsets(cohort):
    train, test = cohort(200, coupling=1, seed=0), cohort(50, coupling=1, seed=1)
    plain = fit_critic(train.first, train.second, seed=0).scores(test.first, test.second)
    scaled = fit_critic(1e3 * train.first + 7, train.second, seed=0)
    assert scaled.scores(1e3 * test.first + 7, test.second) == pytest.approx(plain, abs=1e-6)


def test_an_outlying_record_is_bounded(cohort):
    train = cohort(200, coupling=1, seed=0)
    critic = fit_critic(train.first, train.second, seed=0)
    far = critic.scores(1e6 * np.ones((1, train.first.shape[1])), train.second)
    assert np.abs(far).max() < 1e3


def test_constant_view_gives_zero_scores(cohort):
    view = cohort(60, coupling=1, seed=0).first
    assert (fit_critic(np.ones((60, 3)), view, seed=0).scores(np.ones((5, 3)), view[:5]) == 0).all()


def test_too_few_pairs_are_an_error():
    with pytest.raises(EvaluationError, match="n >= 30"):
        fit_critic(np.zeros((10, 2)), np.zeros((10, 2)), seed=0)


def test_rows_that_do_not_pair_are_an_error():
    with pytest.raises(EvaluationError, match="do not pair"):
        fit_critic(np.zeros((40, 2)), np.zeros((41, 2)), seed=0)
