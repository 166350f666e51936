from __future__ import annotations

import numpy as np
import pytest

from casemix.errors import EvaluationError
from casemix.evaluation.critic import Critic, fit_critic
from casemix.evaluation.joint_excess import joint_excess
from casemix.evaluation.translation import translation


@pytest.fixture(scope="module")
def critic(cohort) -> Critic:
    train = cohort(300, coupling=1, seed=0)
    return fit_critic(train.first, train.second, seed=0)


@pytest.fixture(scope="module")
def real(cohort):
    return both(cohort(200, coupling=1, seed=1))


def both(pairs):
    return pairs.first, pairs.second


def test_real_pairs_betray_nothing_together(critic, real, cohort):
    found = [
        joint_excess(critic, real, both(cohort(200, coupling=1, seed=s)), seed=0)
        for s in range(2, 6)
    ]
    assert np.mean([each.value for each in found]) == pytest.approx(0, abs=0.05)
    assert all(each.interval[0] < 0.05 for each in found)


def test_the_excess_grows_as_the_views_come_apart(critic, real, cohort):
    values = [
        joint_excess(critic, real, both(cohort(200, coupling=c, seed=3)), seed=0).value
        for c in (1, 0.6, 0)
    ]
    assert values == sorted(values)
    assert values[-1] > 0.1


def test_shuffled_pairs_look_real_in_each_view_and_not_together(critic, real, cohort, shuffled):
    found = joint_excess(critic, real, both(shuffled(cohort(200, coupling=1, seed=4), 4)), seed=0)
    assert found.first == pytest.approx(0.5, abs=0.1)
    assert found.second == pytest.approx(0.5, abs=0.1)
    assert found.joint > 0.75
    assert found.interval[0] > 0.1


def test_a_view_that_is_wrong_by_itself_is_no_excess(critic, real, cohort):
    first, second = both(cohort(200, coupling=1, seed=5))
    found = joint_excess(critic, real, (first + 3, second), seed=0)
    assert found.first > 0.95
    assert found.value < 0.05


def test_the_order_of_subjects_changes_little(critic, real, cohort):
    first, second = both(cohort(200, coupling=0.3, seed=6))
    order = np.random.default_rng(0).permutation(200)
    found = [
        joint_excess(critic, real, (first[rows], second[rows]), seed=0).value
        for rows in (slice(None), order)
    ]
    assert found[0] == pytest.approx(found[1], abs=0.04)  # other folds


def test_a_model_of_real_pairs_translates_and_one_of_shuffled_pairs_does_not(
    critic, real, cohort, shuffled
):
    pairs = cohort(200, coupling=1, seed=7)
    learnt = translation(critic, both(pairs), real, seed=0)
    floor = translation(critic, both(shuffled(pairs, 7)), real, seed=0)
    assert learnt.interval[0] > 0.4
    assert floor.value < 0.05
    assert learnt.n == 200


def test_translation_falls_with_the_coupling(critic, real, cohort):
    values = [
        translation(critic, both(cohort(200, coupling=c, seed=8)), real, seed=0).value
        for c in (0, 0.5, 1)
    ]
    assert values == sorted(values)


def test_translation_is_the_r2_of_a_ridge_model(critic, real, cohort):
    """One variate only: then the weights do not matter, and scikit-learn gives the same figure."""
    from sklearn.linear_model import RidgeCV
    from sklearn.metrics import r2_score

    from casemix.evaluation.statistics import standardisation

    alone = Critic(critic.first, critic.second, np.r_[0.8, np.zeros(len(critic.correlations) - 1)])
    first, second = both(cohort(150, coupling=1, seed=9))
    scale = standardisation(first)
    model = RidgeCV(np.logspace(0, 5, 11)).fit(scale(first), alone.second(second)[:, 0])
    expected = r2_score(alone.second(real[1])[:, 0], model.predict(scale(real[0])))
    assert translation(alone, (first, second), real, seed=0).value == pytest.approx(expected)


def test_nothing_to_predict_is_undefined_not_zero(critic, real):
    none = Critic(critic.first, critic.second, np.zeros(len(critic.correlations)))
    assert translation(none, real, real, seed=0) is None


def test_too_few_pairs_or_pairs_that_do_not_match_are_errors(critic, real):
    with pytest.raises(EvaluationError, match="too few rows"):
        translation(critic, (real[0][:5], real[1][:5]), real, seed=0)
    with pytest.raises(EvaluationError, match="do not pair"):
        translation(critic, (real[0], real[1][:150]), real, seed=0)
