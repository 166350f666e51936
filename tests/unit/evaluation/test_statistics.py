from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from casemix.errors import EvaluationError
from casemix.evaluation import statistics as st


def test_auc_equals_sklearn_with_ties():
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 8, 300) / 8, rng.integers(0, 2, 300)
    assert st.auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))


def test_auc_of_one_class_is_undefined():
    assert np.isnan(st.auc([0.1, 0.2], [1, 1]))


def test_bootstrap_interval_of_a_mean_is_near_the_normal_one():
    x = np.random.default_rng(1).normal(size=400)
    low, high = st.bootstrap_interval(lambda r: x[r].mean(), 400, seed=0, repeats=1000)
    half = 1.96 * x.std() / 20
    assert (low, high) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.02)


def test_bootstrap_by_subject_is_wider_than_by_record_when_records_repeat():
    x = np.repeat(np.random.default_rng(2).normal(size=50), 8)
    by_subject = st.bootstrap_interval(lambda r: x[r].mean(), np.repeat(np.arange(50), 8), seed=0)
    by_record = st.bootstrap_interval(lambda r: x[r].mean(), len(x), seed=0)
    assert np.ptp(by_subject) > 2 * np.ptp(by_record)


def test_bootstrap_draws_keep_all_rows_of_a_subject_together():
    subjects = np.array(["b", "a", "b", "c", "a", "b"])
    for rows in st.bootstrap_rows(subjects, seed=3, repeats=20):
        drawn = subjects[rows]
        assert {len(drawn[drawn == s]) % (subjects == s).sum() for s in "abc"} == {0}


def test_bootstrap_weights_sum_to_the_number_of_subjects():
    weights = st.bootstrap_weights(7, seed=0, repeats=50)
    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()


def test_interval_is_nan_when_most_draws_are_undefined():
    assert np.isnan(st.percentile_interval([np.nan, np.nan, 1.0])).all()


def test_folds_never_split_a_subject_and_are_balanced():
    subjects = np.repeat([f"s{i}" for i in range(23)], 3)
    fold = st.subject_folds(subjects, 5, seed=1)
    assert all(len(set(fold[subjects == s])) == 1 for s in set(subjects))
    assert np.ptp(np.bincount(fold[::3])) <= 1


def test_folds_of_too_few_subjects_are_an_error():
    with pytest.raises(EvaluationError, match="3 subjects"):
        st.subject_folds(["a", "b", "c", "c"], 5, seed=0)


def test_equal_sizes_takes_equally_many_subjects_with_all_their_rows():
    first, second = np.repeat(np.arange(30), 2), np.arange(12)
    kept_first, kept_second = st.equal_sizes(first, second, seed=0)
    assert len(np.unique(first[kept_first])) == 12
    assert len(kept_first) == 24
    assert kept_second.tolist() == list(range(12))


def test_permutation_p_value_is_never_zero_and_uniform_enough():
    assert st.permutation_p_value(10.0, np.zeros(99)) == 0.01
    assert st.permutation_p_value(-1.0, np.zeros(99)) == 1.0


def test_standardisation_is_fitted_on_the_reference_and_spares_constants():
    reference = np.c_[np.random.default_rng(0).normal(5, 3, 100), np.full(100, 2.0)]
    scale = st.standardisation(reference)
    moved = scale(reference)
    assert moved.mean(axis=0) == pytest.approx([0, 0], abs=1e-12)
    assert moved.std(axis=0) == pytest.approx([1, 0])
    assert scale([[reference[:, 0].mean(), 3.0]])[0] == pytest.approx([0, 1])


def test_whitening_gives_the_identity_covariance_and_drops_repeated_directions():
    x = np.random.default_rng(0).normal(size=(200, 4)) @ np.random.default_rng(1).normal(
        size=(4, 4)
    )
    doubled = np.c_[x, x[:, 0]]
    white = st.whitening(doubled, 10)(doubled)
    assert white.shape == (200, 4)
    assert np.cov(white.T, ddof=0) == pytest.approx(np.eye(4), abs=1e-8)


def test_whitening_a_constant_reference_maps_to_zero():
    assert (st.whitening(np.ones((5, 3)), 2)(np.ones((5, 3))) == 0).all()


@pytest.mark.parametrize("values", [np.zeros((1, 2)), np.zeros((3, 0)), np.zeros((2, 2, 2))])
def test_matrix_of_wrong_shape_is_an_error(values):
    with pytest.raises(EvaluationError, match="wrong shape"):
        st.as_matrix(values, "the embedding")


def test_matrix_error_names_the_cell_that_is_not_finite():
    with pytest.raises(EvaluationError, match="nan in row 1, column 0"):
        st.as_matrix([[0.0], [np.nan]], "the embedding")


def test_nan_may_be_allowed_but_infinity_never():
    assert np.isnan(st.as_matrix([[0.0], [np.nan]], "x", nan=True)[1, 0])
    with pytest.raises(EvaluationError, match="inf"):
        st.as_matrix([[0.0], [np.inf]], "x", nan=True)


def test_subject_ids_must_match_the_rows():
    with pytest.raises(EvaluationError, match="do not match"):
        st.as_subjects(["a"], 2)
