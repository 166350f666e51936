from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from casemix.errors import EvaluationError
from casemix.evaluation import linkage as lk
from casemix.evaluation.retrieval import retrieval


@pytest.fixture(scope="module")
def train(cohort):
    return cohort(300, coupling=1, seed=0)


@pytest.fixture(scope="module")
def holdout(cohort):
    return cohort(150, coupling=1, seed=1)


@pytest.fixture
def judged(train, holdout):
    """Judge a synthetic cohort against the module's real one."""

    def judge(measure, synthetic: lk.Pairs, seed: int = 0) -> lk.Link:
        return measure(train, holdout, synthetic, seed=seed, repeats=100)

    return judge


@pytest.mark.parametrize("measure", [lk.link, lk.patient_link])
def test_shuffled_links_score_about_zero(measure, cohort, shuffled, judged):
    values = [
        judged(measure, shuffled(cohort(150, coupling=1, seed=s), s)).value for s in range(2, 8)
    ]
    assert np.mean(values) == pytest.approx(0, abs=0.08)


@pytest.mark.parametrize("label", [0.5, 1.0, 2.0])
def test_views_that_share_only_labels_have_no_patient_link_however_strong_the_labels(
    label, cohort, judged
):
    found = [
        judged(lk.patient_link, cohort(150, coupling=0, seed=s, label=label)) for s in range(2, 8)
    ]
    assert np.mean([each.value for each in found]) == pytest.approx(0, abs=0.08)
    assert sum(each.interval[0] <= 0 <= each.interval[1] for each in found) >= 5


def test_views_that_share_only_labels_do_have_a_link(cohort, judged):
    assert judged(lk.link, cohort(150, coupling=0, seed=2)).interval[0] > 0.3


@pytest.mark.parametrize("measure", [lk.link, lk.patient_link])
def test_real_subjects_score_about_one(measure, cohort, judged):
    values = [judged(measure, cohort(150, coupling=1, seed=s)).value for s in range(2, 6)]
    assert np.mean(values) == pytest.approx(1, abs=0.08)


def test_patient_link_is_ordered_by_the_coupling(cohort, judged):
    values = [
        judged(lk.patient_link, cohort(150, coupling=c, seed=5)).value for c in (0, 0.4, 0.7, 1)
    ]
    assert values == sorted(values)
    assert min(np.diff(values)) > 0.1


def test_link_is_undefined_when_real_pairs_are_not_linked(cohort):
    train, holdout = cohort(200, coupling=0, seed=0), cohort(100, coupling=0, seed=1)
    found = lk.patient_link(train, holdout, cohort(100, coupling=1, seed=2), seed=0, repeats=100)
    assert found.value is None
    assert found.interval is None
    assert "no link" in found.reason


def test_over_coupling_is_flagged():
    """The synthetic views repeat each other; the real ones share a fifth of their variance."""
    rng = np.random.default_rng(0)
    u, others = rng.normal(size=200), ~np.eye(200, dtype=bool)
    real = lk.measure_arm(np.outer(u, u + 2 * rng.normal(size=200)), others, seed=0)
    found = lk.link_score(lk.measure_arm(np.outer(u, u), others, seed=1), real)
    assert found.over_coupled
    assert found.interval[0] > 1
    assert not lk.link_score(real, real).over_coupled


def test_row_order_does_not_change_the_matched_auc(cohort, judged):
    synthetic = cohort(100, coupling=0.7, seed=3)
    order = np.random.default_rng(0).permutation(100)
    moved = lk.Pairs(
        synthetic.first[order],
        synthetic.second[order],
        synthetic.context[order],
        synthetic.groups[order],
    )
    plain, reordered = judged(lk.patient_link, synthetic), judged(lk.patient_link, moved)
    assert plain.synthetic.value == pytest.approx(reordered.synthetic.value, abs=1e-6)


def test_same_seed_same_link(cohort, judged):
    synthetic = cohort(60, coupling=0.7, seed=3)
    assert judged(lk.patient_link, synthetic, 5) == judged(lk.patient_link, synthetic, 5)


def test_matched_auc_counts_wins_by_row_and_column():
    scores = np.array([[3.0, 1.0, 5.0], [0.0, 2.0, 2.0], [9.0, 0.0, 4.0]])
    wins = [
        ((scores[i, i] > scores[i, j]) + 0.5 * (scores[i, i] == scores[i, j])) / 2
        + ((scores[j, j] > scores[i, j]) + 0.5 * (scores[j, j] == scores[i, j])) / 2
        for i, j in permutations(range(3), 2)
    ]
    assert lk.matched_auc(scores, seed=0, repeats=10).value == pytest.approx(np.mean(wins))


def test_matched_auc_of_a_critic_without_opinion_is_exactly_half():
    assert lk.matched_auc(np.zeros((30, 30)), seed=0).value == 0.5


def test_matched_auc_interval_covers_the_truth():
    """u, v with correlation 0.6; the truth comes from a far larger sample."""
    rng = np.random.default_rng(0)

    def scores(n: int) -> np.ndarray:
        u = rng.normal(size=n)
        v = 0.6 * u + 0.8 * rng.normal(size=n)
        return np.outer(u, v)

    truth = lk.matched_auc(scores(3000), seed=0, repeats=2).value
    intervals = [lk.matched_auc(scores(80), seed=s).interval for s in range(60)]
    assert np.mean([low <= truth <= high for low, high in intervals]) > 0.88


def test_retrieval_at_full_gallery_counts_ranks():
    scores = np.random.default_rng(0).normal(size=(40, 40)) + 2 * np.eye(40)
    ranks = (scores > np.diag(scores)[:, None]).sum(axis=1) + 1
    found = retrieval(scores, k=5, gallery=40, seed=0)
    assert found.recall == pytest.approx((ranks <= 5).mean())
    assert found.median_rank == pytest.approx(np.median(ranks))


def test_retrieval_in_a_smaller_gallery_equals_drawing_galleries():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(30, 30)) + np.eye(30)
    hits = []
    for i in range(30):
        others = np.delete(np.arange(30), i)
        for _ in range(400):
            drawn = rng.choice(others, size=9, replace=False)
            hits.append((scores[i, drawn] > scores[i, i]).sum() < 3)
    found = retrieval(scores, k=3, gallery=10, seed=0).recall
    assert found == pytest.approx(np.mean(hits), abs=0.02)


def test_retrieval_without_opinion_is_chance():
    found = retrieval(np.zeros((400, 400)), k=5, gallery=50, seed=0)
    assert found.recall == pytest.approx(0.1, abs=0.03)
    assert found.median_rank == pytest.approx(25.5, abs=3)


def test_retrieval_beyond_the_cohort_is_an_error():
    with pytest.raises(EvaluationError, match="smaller gallery"):
        retrieval(np.zeros((20, 20)), gallery=50, seed=0)


def test_context_recovery_reads_the_group_and_fails_when_contexts_are_exchanged(train, holdout):
    asked = holdout.groups
    kept = lk.context_recovery(train.first, train.groups, holdout.first, asked, seed=0).value
    moved = lk.context_recovery(
        train.first, train.groups, holdout.first, asked[lk.permute_all(150, seed=0)], seed=0
    ).value
    assert kept > 0.75
    assert moved == pytest.approx(0.5, abs=0.12)


def test_too_few_subjects_are_an_error(cohort, judged):
    with pytest.raises(EvaluationError, match="n >= 20"):
        judged(lk.link, cohort(10, coupling=1, seed=0))
    with pytest.raises(EvaluationError, match="5 subjects"):
        lk.measure_arm(np.zeros((5, 5)), ~np.eye(5, dtype=bool), seed=0)


def test_patient_link_without_context_is_an_error(judged, holdout):
    with pytest.raises(EvaluationError, match="recorded context"):
        judged(lk.patient_link, lk.Pairs(holdout.first, holdout.second))
