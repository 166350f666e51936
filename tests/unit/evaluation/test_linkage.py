from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from casemix.errors import EvaluationError
from casemix.evaluation import linkage as lk
from tests.unit.evaluation.simulation import cohort, shuffled

TRAIN, HOLDOUT = cohort(300, coupling=1, seed=0), cohort(150, coupling=1, seed=1)


def judged(measure, synthetic: lk.Pairs, seed: int = 0) -> lk.Link:
    return measure(TRAIN, HOLDOUT, synthetic, seed=seed, repeats=100)


@pytest.mark.parametrize("measure", [lk.link, lk.patient_link])
def test_shuffled_links_score_about_zero(measure):
    values = [
        judged(measure, shuffled(cohort(150, coupling=1, seed=s), s)).value for s in range(2, 8)
    ]
    assert np.mean(values) == pytest.approx(0, abs=0.08)


@pytest.mark.parametrize("label", [0.5, 1.0, 2.0])
def test_views_that_share_only_labels_have_no_patient_link_however_strong_the_labels(label):
    found = [
        judged(lk.patient_link, cohort(150, coupling=0, seed=s, label=label)) for s in range(2, 8)
    ]
    assert np.mean([each.value for each in found]) == pytest.approx(0, abs=0.08)
    assert sum(each.interval[0] <= 0 <= each.interval[1] for each in found) >= 5


def test_views_that_share_only_labels_do_have_a_link():
    assert judged(lk.link, cohort(150, coupling=0, seed=2)).interval[0] > 0.3


@pytest.mark.parametrize("measure", [lk.link, lk.patient_link])
def test_real_subjects_score_about_one(measure):
    values = [judged(measure, cohort(150, coupling=1, seed=s)).value for s in range(2, 6)]
    assert np.mean(values) == pytest.approx(1, abs=0.08)


def test_patient_link_is_ordered_by_the_coupling():
    values = [
        judged(lk.patient_link, cohort(150, coupling=c, seed=5)).value for c in (0, 0.4, 0.7, 1)
    ]
    assert values == sorted(values)
    assert min(np.diff(values)) > 0.1


def test_link_is_undefined_when_real_pairs_are_not_linked():
    train, holdout = cohort(200, coupling=0, seed=0), cohort(100, coupling=0, seed=1)
    found = lk.patient_link(train, holdout, cohort(100, coupling=1, seed=2), seed=0, repeats=100)
    assert found.value is None
    assert found.interval is None
    assert "no link" in found.reason


def test_over_coupling_is_flagged():
    weak = lk.Pairs(HOLDOUT.first, cohort(150, coupling=0, seed=1).second, HOLDOUT.context)
    real = lk.measure_arm(*scored(weak_mixture(weak)), seed=0)
    strong = lk.measure_arm(*scored(HOLDOUT), seed=1)
    found = lk.link_score(strong, real)
    assert found.over_coupled
    assert found.value > 1
    assert not lk.link_score(real, real).over_coupled


def weak_mixture(pairs: lk.Pairs) -> lk.Pairs:
    """Half of the subjects keep a matching partner, the others an unrelated one."""
    second = np.where(np.arange(150)[:, None] % 2 == 0, HOLDOUT.second, pairs.second)
    return lk.Pairs(pairs.first, second, pairs.context)


def scored(pairs: lk.Pairs) -> tuple[np.ndarray, np.ndarray]:
    critic = lk.fit_critic(
        lk.residualise(TRAIN.first, TRAIN.context),
        lk.residualise(TRAIN.second, TRAIN.context),
        seed=0,
    )
    scores = critic.scores(
        lk.residualise(pairs.first, pairs.context), lk.residualise(pairs.second, pairs.context)
    )
    return scores, lk.context_neighbours(pairs.context)


def test_row_order_does_not_change_the_matched_auc():
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


def test_same_seed_same_link():
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
    found = lk.retrieval(scores, k=5, gallery=40, seed=0)
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
    found = lk.retrieval(scores, k=3, gallery=10, seed=0).recall
    assert found == pytest.approx(np.mean(hits), abs=0.02)


def test_retrieval_without_opinion_is_chance():
    found = lk.retrieval(np.zeros((400, 400)), k=5, gallery=50, seed=0)
    assert found.recall == pytest.approx(0.1, abs=0.03)
    assert found.median_rank == pytest.approx(25.5, abs=3)


def test_retrieval_beyond_the_cohort_is_an_error():
    with pytest.raises(EvaluationError, match="smaller gallery"):
        lk.retrieval(np.zeros((20, 20)), gallery=50, seed=0)


def test_context_recovery_reads_the_group_and_fails_when_contexts_are_exchanged():
    asked = HOLDOUT.groups
    kept = lk.context_recovery(TRAIN.first, TRAIN.groups, HOLDOUT.first, asked, seed=0).value
    moved = lk.context_recovery(
        TRAIN.first, TRAIN.groups, HOLDOUT.first, asked[lk.permute_all(150, seed=0)], seed=0
    ).value
    assert kept > 0.75
    assert moved == pytest.approx(0.5, abs=0.12)


def test_too_few_subjects_are_an_error():
    with pytest.raises(EvaluationError, match="n >= 20"):
        judged(lk.link, cohort(10, coupling=1, seed=0))
    with pytest.raises(EvaluationError, match="5 subjects"):
        lk.measure_arm(np.zeros((5, 5)), ~np.eye(5, dtype=bool), seed=0)


def test_patient_link_without_context_is_an_error():
    with pytest.raises(EvaluationError, match="recorded context"):
        judged(lk.patient_link, lk.Pairs(HOLDOUT.first, HOLDOUT.second))
