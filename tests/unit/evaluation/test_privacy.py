from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from casemix.errors import EvaluationError
from casemix.evaluation.privacy import domias, tpr_at_fpr

from .conftest import people

TRAIN, HOLDOUT = people(200, 0), people(200, 1)


def test_copying_the_training_records_is_found_by_every_number():
    attack = domias(TRAIN, HOLDOUT, TRAIN.copy(), seed=0)
    assert attack.auc.value > 0.99
    assert attack.tpr_at_1_percent.value > 0.95
    assert attack.auc.interval[0] > attack.control.interval[1]


def test_attack_on_fresh_records_is_chance():
    values = [domias(TRAIN, HOLDOUT, people(200, seed), seed=seed).auc for seed in (2, 3, 4)]
    assert np.mean([found.value for found in values]) == pytest.approx(0.5, abs=0.05)


def test_attack_grows_with_the_share_of_leaked_records():
    values = []
    for leaked in (0, 60, 120, 200):
        made = people(200, 2)
        made[:leaked] = TRAIN[:leaked] + 0.02 * people(200, 3)[:leaked]
        values.append(domias(TRAIN, HOLDOUT, made, seed=0).auc.value)
    assert values == sorted(values)
    assert values[-1] > 0.9


def test_control_arm_holds_chance_even_when_everything_leaks():
    control = domias(TRAIN, HOLDOUT, TRAIN + 0.1 * people(200, 3), seed=0).control
    assert control.interval[0] < 0.5 < control.interval[1]


def test_a_given_reference_leaves_all_held_out_records_to_the_attack():
    found = domias(TRAIN, HOLDOUT, people(200, 2), reference=people(150, 5), seed=0)
    assert (found.members, found.non_members) == (200, 200)
    assert domias(TRAIN, HOLDOUT, people(200, 2), seed=0).non_members == 100


def test_same_seed_same_attack():
    made = people(100, 2)
    assert domias(TRAIN, HOLDOUT, made, seed=3) == domias(TRAIN, HOLDOUT, made, seed=3)


def test_tpr_at_fpr_equals_the_roc_curve():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 1000)
    scores = rng.normal(size=1000) + labels
    false, true, _ = roc_curve(labels, scores, drop_intermediate=False)
    for fpr in (0.001, 0.01, 0.1):
        assert tpr_at_fpr(scores, labels, fpr) == pytest.approx(true[false <= fpr].max())


def test_too_few_records_are_an_error():
    with pytest.raises(EvaluationError, match="held-out records"):
        domias(TRAIN, HOLDOUT[:3], TRAIN, seed=0)


def test_different_columns_are_an_error():
    with pytest.raises(EvaluationError, match="different columns"):
        domias(TRAIN, HOLDOUT, TRAIN[:, :4], seed=0)


def test_records_of_one_subject_do_not_give_each_other_away():
    """Fresh draws of the population know nobody, though a subject's records are alike."""
    rng = np.random.default_rng(0)

    def cohort(subjects: int) -> np.ndarray:
        people = np.repeat(rng.normal(size=(subjects, 4)), 5, axis=0)
        return people + 0.1 * rng.normal(size=people.shape)

    train, holdout, fresh = cohort(60), cohort(60), rng.normal(size=(300, 4))
    ids = np.repeat(np.arange(60), 5)
    fair = domias(train, holdout, fresh, holdout_subjects=ids, seed=0)
    unfair = domias(train, holdout, fresh, seed=0)
    assert fair.auc.value == pytest.approx(0.5, abs=0.1)
    assert unfair.auc.value > 0.75


def test_intervals_do_not_shrink_where_subjects_have_several_equal_records():
    made = people(200, 4)
    once = domias(TRAIN, HOLDOUT, made, seed=0)
    thrice = [np.repeat(np.arange(len(arm)), 3) for arm in (TRAIN, HOLDOUT)]
    again = domias(
        TRAIN[thrice[0]],
        HOLDOUT[thrice[1]],
        made,
        train_subjects=thrice[0],
        holdout_subjects=thrice[1],
        seed=0,
    )
    width = np.diff(again.auc.interval) / np.diff(once.auc.interval)
    assert width[0] > 0.8  # resampled record by record it would be .58
