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
from scipy.spatial.distance import cdist
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from casemix.errors import EvaluationError
from casemix.evaluation.permutation import (
    permuted_auc,
    permuted_nearest_neighbour,
    two_sided_p_value,
)
from casemix.evaluation.statistics import (
    Estimate,
    FloatArray,
    IntArray,
    as_matrix,
    as_subjects,
    auc,
    bootstrap_rows,
    bootstrap_weights,
    percentile_interval,
    permutation_p_value,
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

__all__ = [
    "Columnwise",
    "TwoSample",
    "associations",
    "c2st",
    "dependence_similarity",
    "encode_columns",
    "marginal_similarity",
    "mmd_rbf",
    "nearest_neighbour_hits",
    "one_nearest_neighbour_accuracy",
]

_BANDWIDTHS = (0.5, 1.0, 2.0)  # multiples of the median distance


@dataclass(frozen=True)
class TwoSample(Estimate):
    """A two-sample statistic with interval and permutation p-value.

    Attributes:
        p_value: under the null that subjects are exchangeable between the arms, in (0, 1].
    """

    p_value: float


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


def one_nearest_neighbour_accuracy(
    real: npt.ArrayLike,
    synthetic: npt.ArrayLike,
    *,
    subjects_real: npt.ArrayLike | None = None,
    subjects_synthetic: npt.ArrayLike | None = None,
    seed: int,
) -> TwoSample:
    """Return the leave-one-out accuracy of a 1-NN classifier, real against synthetic; 0.5 ideal.

    1 means two separate clouds; below 0.5 synthetic records sit on top of real ones. A neighbour
    of the same subject does not count. Columns are standardised on the real rows; a tie between
    the arms counts half. The interval resamples the subjects of the per-record hits: resampling
    records themselves would make every record its own neighbour. The two-sided p-value lets
    subjects change arms.

    Raises:
        EvaluationError: arms whose sizes differ by more than a quarter (the accuracy would then
            not be 0.5 for equal distributions), or values not finite.

    Reference:
        Xu et al., An empirical study on evaluation metrics of GANs, 2018.
    """
    first, second, ids_first, ids_second = _as_clouds(
        real, synthetic, subjects_real, subjects_synthetic
    )
    if max(len(first), len(second)) > 1.25 * min(len(first), len(second)):
        raise EvaluationError(
            "Nearest-neighbour accuracy needs arms of equal size.",
            given=f"{len(first)} real and {len(second)} synthetic rows",
            allowed="sizes within a quarter of each other",
            next_step="Draw equal arms with equal_sizes().",
        )
    hits_first, hits_second = _hits(first, second, ids_first, ids_second)
    draws = [
        (hits_first[a].mean() + hits_second[b].mean()) / 2
        for a, b in zip(
            bootstrap_rows(ids_first, seed=seed),
            bootstrap_rows(ids_second, seed=seed + 1),
            strict=True,
        )
    ]
    value = float((hits_first.mean() + hits_second.mean()) / 2)
    null = permuted_nearest_neighbour(
        np.concatenate([first, second]),
        np.repeat([0, 1], [len(first), len(second)]),
        np.concatenate([ids_first, ids_second + ids_first.max() + 1]),
        seed=seed,
    )
    n = len(first) + len(second)
    return TwoSample(value, percentile_interval(draws), n, two_sided_p_value(value, null))


def nearest_neighbour_hits(
    real: npt.ArrayLike,
    synthetic: npt.ArrayLike,
    *,
    subjects_real: npt.ArrayLike | None = None,
    subjects_synthetic: npt.ArrayLike | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return per real and per synthetic record whether its nearest neighbour is of its own arm.

    1 = of its own, 0.5 = a tie, 0 = of the other; the mean of the two means is
    `one_nearest_neighbour_accuracy`, see there.
    """
    return _hits(*_as_clouds(real, synthetic, subjects_real, subjects_synthetic))


def _hits(
    first: FloatArray, second: FloatArray, ids_first: IntArray, ids_second: IntArray
) -> tuple[FloatArray, FloatArray]:
    return _nearest_is_own(first, second, ids_first), _nearest_is_own(second, first, ids_second)


def mmd_rbf(
    real: npt.ArrayLike,
    synthetic: npt.ArrayLike,
    *,
    subjects_real: npt.ArrayLike | None = None,
    subjects_synthetic: npt.ArrayLike | None = None,
    seed: int,
    permutations: int = 200,
) -> TwoSample:
    """Return the unbiased squared maximum mean discrepancy; 0 is ideal, small negatives occur.

    The kernel is the mean of Gaussian kernels at 0.5, 1 and 2 times the median pairwise distance,
    after standardising on the real rows. Pairs of records of one subject are left out, and the
    permutation test moves whole subjects between the arms.

    Raises:
        EvaluationError: too few rows or subjects, or values not finite.

    Reference:
        Gretton et al., A kernel two-sample test, JMLR 2012, lemma 6.
    """
    first, second, ids_first, ids_second = _as_clouds(
        real, synthetic, subjects_real, subjects_synthetic
    )
    kernel = _kernel(np.concatenate([first, second]))
    ids = np.concatenate([ids_first, ids_second + ids_first.max() + 1])
    counts = (int(ids_first.max()) + 1, int(ids_second.max()) + 1)
    # Sums of the kernel, and numbers of pairs, by pair of subjects: (s, s).
    sums, pairs = _by_subject(kernel, ids), _by_subject(np.ones_like(kernel), ids)
    in_real = np.repeat([1.0, 0.0], counts)
    shuffles = np.random.default_rng(seed).permuted(np.tile(in_real, (permutations, 1)), axis=1)
    null = _mmd(sums, pairs, shuffles, 1 - shuffles)
    drawn = _mmd(
        sums,
        pairs,
        np.pad(bootstrap_weights(counts[0], seed=seed), ((0, 0), (0, counts[1]))),
        np.pad(bootstrap_weights(counts[1], seed=seed + 1), ((0, 0), (counts[0], 0))),
    )
    value = float(_mmd(sums, pairs, in_real[None], 1 - in_real[None])[0])
    return TwoSample(
        value, percentile_interval(drawn), len(kernel), permutation_p_value(value, null)
    )


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
    _same_width(first, second)
    return first, second, categorical


def _same_width(first: FloatArray, second: FloatArray) -> None:
    if first.shape[1] != second.shape[1]:
        raise EvaluationError(
            "Real and synthetic rows have different columns.",
            given=f"{first.shape[1]} and {second.shape[1]} columns",
            allowed="equal numbers of columns",
        )


def _as_clouds(
    real: npt.ArrayLike,
    synthetic: npt.ArrayLike,
    subjects_real: npt.ArrayLike | None,
    subjects_synthetic: npt.ArrayLike | None,
) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
    first = as_matrix(real, "real rows", rows=4)
    second = as_matrix(synthetic, "synthetic rows", rows=4)
    _same_width(first, second)
    scale = standardisation(first)
    return (
        scale(first),
        scale(second),
        as_subjects(subjects_real, len(first)),
        as_subjects(subjects_synthetic, len(second)),
    )


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


def _nearest_is_own(arm: FloatArray, other: FloatArray, ids: IntArray) -> FloatArray:
    """Return 1 where the nearest other record is of the own arm, 0.5 at a tie, (n,)."""
    own = cdist(arm, arm)
    own[ids[:, None] == ids[None, :]] = np.inf
    nearest_own, nearest_other = own.min(axis=1), cdist(arm, other).min(axis=1)
    return (nearest_own < nearest_other) + 0.5 * (nearest_own == nearest_other)


def _kernel(values: FloatArray) -> FloatArray:
    squares = cdist(values, values, "sqeuclidean")
    median = np.median(squares[np.triu_indices(len(values), 1)])
    median = median if median > 0 else 1.0
    return np.mean([np.exp(-squares / (2 * b * b * median)) for b in _BANDWIDTHS], axis=0)


def _by_subject(matrix: FloatArray, ids: IntArray) -> FloatArray:
    """Sum an (n, n) matrix over the rows of each pair of subjects; the diagonal becomes 0."""
    member = (ids[:, None] == np.arange(ids.max() + 1)).astype(float)  # (n, s)
    summed: FloatArray = member.T @ matrix @ member
    np.fill_diagonal(summed, 0.0)
    return summed


def _mmd(sums: FloatArray, pairs: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    """Return the statistic for each row of subject weights (repeats, s)."""

    def mean(left: FloatArray, right: FloatArray) -> FloatArray:
        return ((left @ sums) * right).sum(axis=1) / ((left @ pairs) * right).sum(axis=1)

    return mean(first, first) + mean(second, second) - 2 * mean(first, second)
