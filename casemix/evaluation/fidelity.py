"""Fidelity: how hard it is to tell synthetic records from real ones.

Marginals and pairwise dependence describe where they differ; the classifier two-sample test
(C2ST), one-nearest-neighbour accuracy and MMD judge the joint distribution. The marginal score
of an independence model is nearly perfect: never report it without C2ST.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from casemix.evaluation.mean_discrepancy import mmd_rbf
from casemix.evaluation.nearest_neighbours import (
    nearest_neighbour_hits,
    one_nearest_neighbour_accuracy,
)
from casemix.evaluation.permutation import (
    permuted_auc,
    two_sided_p_value,
)
from casemix.evaluation.statistics import (
    FloatArray,
    IntArray,
    as_matrix,
    as_subjects,
    auc,
    bootstrap_rows,
    percentile_interval,
    standardisation,
    subject_folds,
)
from casemix.evaluation.tables import (
    Columnwise,
    associations,
    dependence_similarity,
    encode_columns,
    marginal_similarity,
)
from casemix.evaluation.two_samples import TwoSample, check_same_width

__all__ = [
    "Columnwise",
    "HeldOut",
    "TwoSample",
    "associations",
    "c2st",
    "dependence_similarity",
    "encode_columns",
    "held_out_scores",
    "marginal_similarity",
    "mmd_rbf",
    "nearest_neighbour_hits",
    "one_nearest_neighbour_accuracy",
]


def c2st(
    real: npt.ArrayLike | pd.DataFrame,
    synthetic: npt.ArrayLike | pd.DataFrame,
    *,
    subjects_real: npt.ArrayLike | None = None,
    subjects_synthetic: npt.ArrayLike | None = None,
    seed: int,
    folds: int = 5,
    classifier: Literal["trees", "logistic"] = "trees",
) -> TwoSample:
    """Return the AUC of a classifier that tells synthetic from real records; 0.5 is ideal.

    Cross-validated by subject; the interval resamples the subjects of the out-of-fold scores. An
    AUC clearly below 0.5 also betrays a difference: copied records do that. The two-sided p-value
    lets subjects change arms within their fold, on the held-out scores: its null is that the
    fitted classifiers' scores are distributed alike in both arms.

    Args:
        real: (n, d) array, NaN allowed with trees, or a frame with categorical columns.
        synthetic: (m, d), same columns; make the sizes equal first (`equal_sizes`).
        subjects_real: (n,) subject of each row; each its own if None.
        subjects_synthetic: (m,) the same for the synthetic rows.
        seed: seed of folds, classifier and bootstrap.
        folds: number of folds.
        classifier: boosted trees, or ridge-logistic regression for embeddings with n near d.

    Raises:
        EvaluationError: too few subjects or rows, columns that differ, values not finite.

    Reference:
        Lopez-Paz and Oquab, Revisiting classifier two-sample tests, ICLR 2017.
    """
    held = held_out_scores(
        real,
        synthetic,
        subjects_real=subjects_real,
        subjects_synthetic=subjects_synthetic,
        seed=seed,
        folds=folds,
        classifier=classifier,
    )
    both = zip(
        bootstrap_rows(held.subjects[held.arm == 0], seed=seed),
        bootstrap_rows(held.subjects[held.arm == 1], seed=seed + 1),
        strict=True,
    )
    first, second = (held.scores[held.arm == k] for k in (0, 1))
    draws = [auc(np.r_[first[a], second[b]], np.repeat([0, 1], [len(a), len(b)])) for a, b in both]
    value = auc(held.scores, held.arm)
    null = permuted_auc(held.scores, held.arm, held.subjects, held.fold, seed=seed)
    p_value = two_sided_p_value(value, null)
    return TwoSample(value, percentile_interval(draws), len(held.arm), p_value)


@dataclass(frozen=True)
class HeldOut:
    """What a two-sample classifier says of records that it was not fitted on.

    Attributes:
        scores: (n + m,) larger = taken for synthetic; the n real records first.
        arm: (n + m,) 0 = real, 1 = synthetic.
        subjects: (n + m,) subject codes, unique over both arms.
        fold: (n + m,) fold of each record.
    """

    scores: FloatArray
    arm: IntArray
    subjects: IntArray
    fold: IntArray


def held_out_scores(
    real: npt.ArrayLike | pd.DataFrame,
    synthetic: npt.ArrayLike | pd.DataFrame,
    *,
    subjects_real: npt.ArrayLike | None = None,
    subjects_synthetic: npt.ArrayLike | None = None,
    seed: int,
    folds: int = 5,
    classifier: Literal["trees", "logistic"] = "trees",
) -> HeldOut:
    """Return the out-of-fold scores that `c2st` judges; see there."""
    first, second, categorical = _as_arms(real, synthetic, nan=classifier == "trees")
    ids_first = as_subjects(subjects_real, len(first))
    ids_second = as_subjects(subjects_synthetic, len(second))
    x = np.concatenate([first, second])
    arm = np.repeat([0, 1], [len(first), len(second)])
    # Folds per arm, so that every fold holds its share of both.
    fold = np.concatenate([subject_folds(ids, folds, seed=seed) for ids in (ids_first, ids_second)])
    scores = np.empty(len(x))
    for k in range(folds):
        fit, test = fold != k, fold == k
        scores[test] = _discriminate(
            x[fit], arm[fit], x[test], categorical, seed=seed, classifier=classifier
        )
    subjects = np.concatenate([ids_first, ids_second + ids_first.max() + 1])
    return HeldOut(scores, arm, subjects, fold)


def _as_arms(
    real: npt.ArrayLike | pd.DataFrame, synthetic: npt.ArrayLike | pd.DataFrame, *, nan: bool
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    if isinstance(real, pd.DataFrame) and isinstance(synthetic, pd.DataFrame):
        first, second, categorical = encode_columns(real, synthetic)
    else:
        first, second = np.asarray(real, dtype=float), np.asarray(synthetic, dtype=float)
        categorical = np.zeros(first.shape[-1], dtype=bool)
    first = as_matrix(first, "real rows", nan=nan)
    second = as_matrix(second, "synthetic rows", nan=nan)
    check_same_width(first, second)
    return first, second, categorical


def _discriminate(
    x: FloatArray,
    label: npt.NDArray[np.int_],
    test: FloatArray,
    categorical: npt.NDArray[np.bool_],
    *,
    seed: int,
    classifier: Literal["trees", "logistic"],
) -> FloatArray:
    """Fit on x (n, d), return scores of test (m, d)."""
    if classifier == "logistic":
        scale = standardisation(x)
        # Strong ridge: embeddings often have as many columns as there are subjects.
        model = LogisticRegression(C=0.05, max_iter=2000).fit(scale(x), label)
        return np.asarray(model.decision_function(scale(test)))
    trees = HistGradientBoostingClassifier(
        max_iter=100,
        max_leaf_nodes=15,
        min_samples_leaf=10,
        categorical_features=categorical,
        early_stopping=False,
        random_state=seed % 2**32,
    ).fit(x, label)
    return np.asarray(trees.decision_function(test))
