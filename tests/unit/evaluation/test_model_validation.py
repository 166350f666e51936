from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from casemix.errors import EvaluationError
from casemix.evaluation.labelled import Labelled
from casemix.evaluation.model_validation import kendall_tau, model_validation


def ward(n: int, seed: int, signal: float = 1.0) -> Labelled:
    """Classes by a sum and a product of columns, which models learn more or less well."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 12))
    score = signal * (x[:, 0] + x[:, 1] + x[:, 2] * x[:, 3]) + rng.normal(size=n)
    return Labelled(x, np.where(score > 0, "ill", "well"))


def test_kendall_tau_equals_scipy_with_ties():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 5, (2, 9, 20)).astype(float)
    wanted = [kendalltau(a, b).statistic for a, b in zip(first.T, second.T, strict=True)]
    assert kendall_tau(first, second) == pytest.approx(np.array(wanted))


def test_kendall_tau_of_a_constant_ranking_is_undefined():
    assert np.isnan(kendall_tau(np.ones((5, 1)), np.arange(5.0)[:, None]))[0]


def test_other_real_records_rank_the_models_alike():
    """Five trials: one in twenty intervals may miss."""
    trials = [
        model_validation(ward(150, k), ward(150, k + 1), ward(150, k + 2), seed=k)
        for k in range(0, 15, 3)
    ]
    found = [trial.agreement for trial in trials]
    assert np.mean([a.tau.value for a in found]) > 0.6
    assert np.mean([a.error.value for a in found]) < 0.06
    assert np.mean([a.regret for a in found]) < 0.04
    assert sum(a.bias.interval[0] < 0 < a.bias.interval[1] for a in found) >= 4
    assert [trial.note for trial in trials] == [""] * 5


def test_the_models_differ_and_one_of_them_knows_nothing():
    found = model_validation(ward(200, 0), ward(200, 1), ward(300, 2), seed=0)
    assert len(found.on_real) >= 6
    assert found.on_real["uninformed"].value == found.on_synthetic["uninformed"].value == 0.5
    values = [e.value for e in found.on_real.values()]
    assert max(values) > np.median(values) + 0.02 > 0.6


def test_a_set_against_itself_agrees_wholly():
    test = ward(150, 1)
    agreement = model_validation(ward(150, 0), test, test, seed=0).agreement
    assert agreement.tau.value == pytest.approx(1.0)
    assert (agreement.error.value, agreement.bias.value, agreement.regret) == (0, 0, 0)


def test_copies_of_training_records_are_found_by_the_models_that_memorise():
    train = ward(200, 0)
    found = model_validation(train, train, ward(200, 2), seed=0)
    assert found.on_synthetic["nearest_neighbour"].value == 1.0
    assert found.agreement.memorised.interval[0] > 0.1
    assert "copied training records" in found.note
    assert found.agreement.regret > 0.05


def test_labels_without_meaning_make_every_model_look_uninformed_and_not_copied():
    made = ward(300, 1)
    made = Labelled(made.x, np.random.default_rng(0).permutation(made.y))
    found = model_validation(ward(200, 0), made, ward(300, 2), seed=0)
    assert found.agreement.bias.interval[1] < -0.1
    assert found.agreement.tau.interval[0] < 0
    assert found.note == ""


def test_caricatured_labels_flatter_every_model_and_are_noted():
    made = ward(400, 1)
    made.x[:, 0] += np.where(np.asarray(made.y) == "ill", 2.0, -2.0)
    found = model_validation(ward(300, 0), made, ward(400, 2), seed=0)
    assert "caricatured" in found.note


def test_intervals_resample_subjects():
    made, real = ward(60, 1), ward(60, 2)
    repeated = [Labelled(np.repeat(p.x, 5, axis=0), np.repeat(p.y, 5)) for p in (made, real)]
    subjects = np.repeat(np.arange(60), 5)
    grouped = [Labelled(p.x, p.y, subjects) for p in repeated]
    train = ward(150, 0)
    wide = model_validation(train, *grouped, seed=0).agreement.bias.interval
    narrow = model_validation(train, *repeated, seed=0).agreement.bias.interval
    assert wide[1] - wide[0] > 1.5 * (narrow[1] - narrow[0])


def test_numbers_are_predicted_too_and_missing_cells_are_accepted():
    rng = np.random.default_rng(0)
    parts = []
    for x in rng.normal(size=(3, 150, 6)):
        y = x[:, 0] + x[:, 1] + 0.5 * rng.normal(size=150)
        x[::7, 1] = np.nan
        x[:, 5] = np.nan
        parts.append(Labelled(x, y))
    found = model_validation(*parts, measure="spearman", seed=0)
    assert found.on_real["uninformed"].value == 0.0
    assert found.on_real["weak_ridge"].value > 0.7
    assert found.agreement.tau.value > 0.5


def test_a_class_without_synthetic_records_is_named():
    rng = np.random.default_rng(0)
    labels = np.array(["a", "b", "c"])
    parts = []
    for x in rng.normal(size=(3, 120, 4)):
        parts.append(Labelled(x, labels[np.argmax(x[:, :3], axis=1)]))
    train, made, holdout = parts
    kept = np.flatnonzero(made.y != "c")
    found = model_validation(train, made.take(kept), holdout, seed=0)
    assert found.note.startswith("no synthetic record of class c")


def test_a_constant_target_leaves_nothing_to_compare():
    made = Labelled(ward(50, 1).x, np.full(50, "ill"))
    found = model_validation(ward(50, 0), made, ward(50, 2), seed=0)
    assert found.agreement is None
    assert found.note == "synthetic records: the test target is constant"


def test_arrays_that_do_not_fit_and_constant_training_are_errors():
    real, made = ward(50, 0), ward(50, 1)
    with pytest.raises(EvaluationError, match="synthetic features and targets"):
        model_validation(real, Labelled(made.x[:, :5], made.y), ward(50, 2), seed=0)
    with pytest.raises(EvaluationError, match="constant"):
        model_validation(Labelled(real.x, np.full(50, "ill")), made, ward(50, 2), seed=0)
