from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from casemix.errors import EvaluationError
from casemix.evaluation.context import (
    _leave_one_out,
    context_neighbours,
    derangement,
    permute_all,
    permute_within,
    residualise,
)


def test_residuals_take_out_a_bent_dependence_and_leave_the_rest():
    rng = np.random.default_rng(0)
    context, own = rng.normal(size=(300, 3)), rng.normal(size=300)
    bend = np.sin(2 * context[:, 0])
    view = bend + context[:, 1] + own
    left = residualise(view, context)[:, 0]
    assert np.corrcoef(left, own)[0, 1] > 0.9
    assert abs(np.corrcoef(left, bend)[0, 1]) < 0.5 * np.corrcoef(view, bend)[0, 1]
    straight = LinearRegression().fit(context, left)
    assert straight.score(context, left) < 0.05


def test_residuals_take_out_interactions():
    rng = np.random.default_rng(0)
    context, own = rng.normal(size=(200, 4)), rng.normal(size=200)
    product = context[:, 0] * context[:, 1]
    left = residualise(product + own, context)[:, 0]
    assert abs(np.corrcoef(left, product)[0, 1]) < 0.1


def test_leave_one_out_residuals_equal_refitting():
    rng = np.random.default_rng(0)
    features, y = rng.normal(size=(12, 2)), rng.normal(size=(12, 1))
    features, y = features - features.mean(axis=0), y - y.mean()
    eigenvalues, basis = np.linalg.eigh(features @ features.T)
    closed = _leave_one_out(y, np.maximum(eigenvalues, 0), basis, 1e-6)
    for i in range(12):
        rest = np.delete(np.arange(12), i)
        refit = LinearRegression().fit(features[rest], y[rest])
        assert closed[i, 0] == pytest.approx((y[i] - refit.predict(features[[i]]))[0, 0], abs=1e-5)


def test_unrelated_context_leaves_the_view_alone():
    rng = np.random.default_rng(0)
    view = rng.normal(size=(200, 2))
    left = residualise(view, rng.normal(size=(200, 4)))
    assert np.corrcoef(left[:, 0], view[:, 0])[0, 1] > 0.98


def test_constant_context_only_centres():
    view = np.random.default_rng(0).normal(size=(20, 1))
    left = residualise(view, np.ones((20, 1)))
    assert np.corrcoef(left[:, 0], view[:, 0])[0, 1] == pytest.approx(1.0)


def test_neighbours_of_equal_context_are_all_that_share_it():
    cells = np.repeat([0.0, 1.0], [10, 12])
    near = context_neighbours(cells)
    assert (near == ((cells[:, None] == cells[None]) & ~np.eye(22, dtype=bool))).all()


def test_neighbours_stay_in_their_group_and_a_lone_subject_looks_outside():
    rng = np.random.default_rng(0)
    groups = np.array(["a"] * 20 + ["b"] * 3 + ["c"])
    near = context_neighbours(rng.normal(size=(24, 2)), groups=groups, k=5)
    assert not near[:20, 20:].any()
    assert near[20:23].sum(axis=1).tolist() == [2, 2, 2]
    assert near[23].sum() == 5
    assert not near.diagonal().any()


def test_permutations_move_everybody_and_stay_near():
    context = np.random.default_rng(0).normal(size=(60, 2))
    within, anywhere = permute_within(context, seed=1), permute_all(60, seed=1)
    for moved in (within, anywhere):
        assert sorted(moved) == list(range(60))
        assert (moved != np.arange(60)).all()
    gap = np.linalg.norm(context - context[within], axis=1).mean()
    assert gap < 0.5 * np.linalg.norm(context - context[anywhere], axis=1).mean()


def test_within_cells_permutation_keeps_the_cell():
    cells = np.repeat([0.0, 1.0, 2.0], 9)
    moved = permute_within(cells, seed=0)
    assert (cells[moved] == cells).all()


def test_seeds_decide_the_permutation():
    assert permute_all(40, seed=1).tolist() == permute_all(40, seed=1).tolist()
    assert permute_all(40, seed=1).tolist() != permute_all(40, seed=2).tolist()


def test_impossible_derangement_sends_as_few_as_possible_elsewhere():
    allowed = np.zeros((4, 4), dtype=bool)
    allowed[:2, :2] = True
    np.fill_diagonal(allowed, False)
    moved = derangement(allowed, seed=0)
    assert moved.tolist() == [1, 0, 3, 2]


def test_one_subject_cannot_be_exchanged():
    with pytest.raises(EvaluationError, match="Nobody to exchange"):
        permute_all(1, seed=0)
    with pytest.raises(EvaluationError, match="n >= 3"):
        context_neighbours(np.zeros((1, 2)))


def test_residuals_of_rows_that_do_not_pair_are_an_error():
    with pytest.raises(EvaluationError, match="do not pair"):
        residualise(np.zeros((20, 1)), np.zeros((21, 1)))
