from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from casemix.evaluation.fidelity import c2st, one_nearest_neighbour_accuracy
from casemix.evaluation.permutation import (
    permuted_auc,
    permuted_nearest_neighbour,
    two_sided_p_value,
)


def cloud(n: int, seed: int, shift: float = 0.0, d: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, size=(n, d))


def test_two_sided_p_value_counts_both_tails():
    null = np.arange(-10.0, 11.0)
    assert two_sided_p_value(10.0, null) == two_sided_p_value(-10.0, null) == 3 / 22
    assert two_sided_p_value(0.0, null) == 1.0


def test_permuted_auc_equals_shuffled_labels_scored_by_sklearn():
    rng = np.random.default_rng(0)
    scores, arm = rng.integers(0, 9, 30).astype(float), np.repeat([0, 1], 15)
    fold = np.tile([0, 1, 2], 10)
    shuffle, found = np.random.default_rng(7), np.tile(arm, (20, 1))
    for k in range(3):
        found[:, fold == k] = shuffle.permuted(found[:, fold == k], axis=1)
    wanted = np.array([roc_auc_score(labels, scores) for labels in found])
    wanted = wanted.mean() + np.sqrt(1 + 3 / 2) * (wanted - wanted.mean())
    null = permuted_auc(scores, arm, np.arange(30), fold, seed=7, permutations=20)
    assert null == pytest.approx(wanted)


def test_permuted_neighbours_equal_a_loop_over_subjects_with_several_records():
    values, subjects = cloud(24, 0).round(0), np.repeat(np.arange(12), 2)  # rounded: with ties
    arm = np.repeat([0, 1], 12)
    labels = np.random.default_rng(3).permuted(np.tile(arm[::2], (10, 1)), axis=1)[:, subjects]
    wanted = []
    for label in labels:
        hits = np.empty(24)
        for i in range(24):
            away = np.linalg.norm(values - values[i], axis=1)
            away[subjects == subjects[i]] = np.inf
            nearest = label[away == away.min()] == label[i]
            hits[i] = nearest.mean() if nearest.mean() in (0, 1) else 0.5
        wanted.append((hits[label == 0].mean() + hits[label == 1].mean()) / 2)
    null = permuted_nearest_neighbour(values, arm, subjects, seed=3, permutations=10)
    assert null == pytest.approx(np.array(wanted))


@pytest.mark.parametrize(
    "metric", [c2st, one_nearest_neighbour_accuracy], ids=["c2st", "neighbour"]
)
def test_p_value_of_equal_arms_is_seldom_small_and_of_shifted_ones_is(metric):
    options = {"classifier": "logistic"} if metric is c2st else {}
    pairs = [(cloud(40, 2 * k, d=8), cloud(40, 2 * k + 1, d=8)) for k in range(60)]
    p_values = [metric(a, b, seed=k, **options).p_value for k, (a, b) in enumerate(pairs)]
    assert np.mean(np.array(p_values) <= 0.1) <= 0.15
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.12)
    assert metric(cloud(40, 0), cloud(40, 1, 1.5), seed=0, **options).p_value < 0.01


def test_p_value_of_copies_is_small_although_the_accuracy_is_low():
    found = one_nearest_neighbour_accuracy(cloud(60, 0), cloud(60, 0) + 1e-6, seed=0)
    assert found.value < 0.1
    assert found.p_value < 0.01


def test_repeated_records_of_a_subject_are_no_extra_evidence():
    real, made = np.repeat(cloud(30, 0), 6, axis=0), np.repeat(cloud(30, 1), 6, axis=0)
    subjects = np.repeat(np.arange(30), 6)
    by_subject = c2st(
        real,
        made,
        subjects_real=subjects,
        subjects_synthetic=subjects,
        seed=0,
        classifier="logistic",
    )
    assert by_subject.p_value > 0.05
    noisy = np.concatenate([real, made]) + 0.01 * cloud(360, 5)
    by_record = one_nearest_neighbour_accuracy(noisy[:180], noisy[180:], seed=0)
    assert by_record.p_value < 0.01
    neighbour = one_nearest_neighbour_accuracy(
        noisy[:180], noisy[180:], subjects_real=subjects, subjects_synthetic=subjects, seed=0
    )
    assert neighbour.p_value > 0.05
