"""Fidelity: how hard it is to tell synthetic records from real ones.

Marginals and pairwise dependence describe where they differ; the classifier two-sample test
(C2ST), one-nearest-neighbour accuracy and MMD judge the joint distribution. The marginal score
of an independence model is nearly perfect: never report it without C2ST.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial.distance import cdist
from scipy.stats import ks_2samp
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from casemix.errors import EvaluationError
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

_MOST_LEVELS = 50  # rarer levels of the real column share one state, so codes stay comparable
_BANDWIDTHS = (0.5, 1.0, 2.0)  # multiples of the median distance


@dataclass(frozen=True)
class Columnwise:
    """A similarity in [0, 1] and its parts.

    Attributes:
        value: mean over the columns (or column pairs).
        parts: similarity by column name (or "first ~ second").
    """

    value: float
    parts: Mapping[str, float]


@dataclass(frozen=True)
class TwoSample:
    """A two-sample statistic with interval and permutation p-value."""

    value: float
    interval: tuple[float, float]
    p_value: float
    n: int


def marginal_similarity(real: pd.DataFrame, synthetic: pd.DataFrame) -> Columnwise:
    """Return how alike the columns are one by one, in [0, 1]; 1 is ideal.

    Categorical columns (anything not numeric, and booleans): 1 - total variation, with missing as
    a level. Numeric columns: 1 - (|m - m'| + (1 - max(m, m')) KS), where m, m' are the missing
    rates and KS the Kolmogorov-Smirnov distance of the observed values: missing has its own share.

    Raises:
        EvaluationError: the frames' columns differ, or one has no rows.
    """
    synthetic = _aligned(real, synthetic)
    parts = {
        str(name): 1.0
        - (
            _numeric_distance(real[name], synthetic[name])
            if _is_numeric(real[name])
            else _total_variation(real[name], synthetic[name])
        )
        for name in real.columns
    }
    return Columnwise(float(np.mean(list(parts.values()))), parts)


def dependence_similarity(real: pd.DataFrame, synthetic: pd.DataFrame) -> Columnwise:
    """Return how alike the pairwise associations are, mean of 1 - |difference| / 2, in [0, 1].

    Compares the cells of `associations`. Pairs that are undefined in the real frame are left out;
    pairs undefined only in the synthetic frame (a column gone constant) count as association 0.

    Raises:
        EvaluationError: the frames' columns differ, one has no rows, or no pair is defined.
    """
    synthetic = _aligned(real, synthetic)
    incomplete = [name for name in real.columns if 0.02 < real[name].isna().mean() < 0.98]
    levels = {n: _levels(real[n]) for n in real.columns if not _is_numeric(real[n])}
    wanted = _associations(real, levels, incomplete)
    found = _associations(synthetic, levels, incomplete).fillna(0.0)
    names = [str(name) for name in wanted.columns]
    similarity = 1.0 - np.abs(wanted.to_numpy() - found.to_numpy()) / 2
    parts = {
        f"{names[i]} ~ {names[j]}": float(similarity[i, j])
        for i, j in zip(*np.triu_indices(len(names), 1), strict=True)
        if np.isfinite(similarity[i, j])
    }
    if not parts:
        raise EvaluationError(
            "No pair of columns has a defined association.",
            given=real.columns,
            allowed="at least two columns that vary",
        )
    return Columnwise(float(np.mean(list(parts.values()))), parts)


def associations(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the matrix of pairwise associations, NaN where undefined.

    Numeric with numeric: Spearman correlation, in [-1, 1]. Numeric with categorical: correlation
    ratio of the ranks, in [0, 1]. Categorical with categorical: Cramer's V, in [0, 1]. Columns
    with 2 to 98 % missing add an indicator ``"<name> missing"``. All on pairwise complete rows.
    """
    incomplete = [name for name in frame.columns if 0.02 < frame[name].isna().mean() < 0.98]
    levels = {n: _levels(frame[n]) for n in frame.columns if not _is_numeric(frame[n])}
    return _associations(frame, levels, incomplete)


def encode_columns(
    real: pd.DataFrame, synthetic: pd.DataFrame
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Return both frames as number matrices for trees, and which columns are category codes.

    Codes come from the real frame's levels; rarer or unseen ones share one code; missing is NaN.

    Returns:
        real (n, d), synthetic (m, d), categorical (d,).
    """
    synthetic = _aligned(real, synthetic)
    categorical = np.array([not _is_numeric(real[name]) for name in real.columns])
    columns = []
    for name, is_code in zip(real.columns, categorical, strict=True):
        pair = pd.concat([real[name], synthetic[name]], ignore_index=True)
        numbers = _codes(pair, _levels(real[name])) if is_code else _numbers(pair)
        columns.append(numbers)
    both = np.stack(columns, axis=1)
    return both[: len(real)], both[len(real) :], categorical


def c2st(
    real: npt.ArrayLike | pd.DataFrame,
    synthetic: npt.ArrayLike | pd.DataFrame,
    *,
    subjects_real: npt.ArrayLike | None = None,
    subjects_synthetic: npt.ArrayLike | None = None,
    seed: int,
    folds: int = 5,
    classifier: Literal["trees", "logistic"] = "trees",
) -> Estimate:
    """Return the AUC of a classifier that tells synthetic from real records; 0.5 is ideal.

    Cross-validated by subject; the interval resamples the subjects of the out-of-fold scores. An
    AUC clearly below 0.5 also betrays a difference: copied records do that.

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
    first, second, categorical = _as_arms(real, synthetic, nan=classifier == "trees")
    ids_first = as_subjects(subjects_real, len(first))
    ids_second = as_subjects(subjects_synthetic, len(second))
    x = np.concatenate([first, second])
    label = np.repeat([0, 1], [len(first), len(second)])
    # Folds per arm, so that every fold holds its share of both.
    fold = np.concatenate(
        [subject_folds(ids, folds, seed=seed) for ids in (ids_first, ids_second)]
    )
    scores = np.empty(len(x))
    for k in range(folds):
        fit, test = fold != k, fold == k
        scores[test] = _discriminate(
            x[fit], label[fit], x[test], categorical, seed=seed, classifier=classifier
        )
    draws = [
        auc(np.r_[scores[: len(first)][a], scores[len(first) :][b]], np.repeat([0, 1], [len(a), len(b)]))
        for a, b in zip(
            bootstrap_rows(ids_first, seed=seed),
            bootstrap_rows(ids_second, seed=seed + 1),
            strict=True,
        )
    ]
    return Estimate(auc(scores, label), percentile_interval(draws), len(x))


def one_nearest_neighbour_accuracy(
    real: npt.ArrayLike,
    synthetic: npt.ArrayLike,
    *,
    subjects_real: npt.ArrayLike | None = None,
    subjects_synthetic: npt.ArrayLike | None = None,
    seed: int,
) -> Estimate:
    """Return the leave-one-out accuracy of a 1-NN classifier, real against synthetic; 0.5 ideal.

    1 means two separate clouds; below 0.5 synthetic records sit on top of real ones. A neighbour
    of the same subject does not count. Columns are standardised on the real rows; a tie between
    the arms counts half. The interval resamples the subjects of the per-record hits: resampling
    records themselves would make every record its own neighbour.

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
    hits_first = _nearest_is_own(first, second, ids_first)
    hits_second = _nearest_is_own(second, first, ids_second)
    draws = [
        (hits_first[a].mean() + hits_second[b].mean()) / 2
        for a, b in zip(
            bootstrap_rows(ids_first, seed=seed),
            bootstrap_rows(ids_second, seed=seed + 1),
            strict=True,
        )
    ]
    value = float((hits_first.mean() + hits_second.mean()) / 2)
    return Estimate(value, percentile_interval(draws), len(first) + len(second))


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
        value, percentile_interval(drawn), permutation_p_value(value, null), len(kernel)
    )


def frechet_distance(real: npt.ArrayLike, synthetic: npt.ArrayLike) -> float:
    """Return the squared Frechet distance of two Gaussians fitted to (n, d) and (m, d) features.

    It depends on the feature extractor and falls with n: report both beside it, and compare
    only at equal n.

    Raises:
        EvaluationError: fewer than two rows, or values not finite.

    Reference:
        Dowson and Landau, J Multivar Anal 1982; Heusel et al., NeurIPS 2017 (FID).
    """
    first, second = as_matrix(real, "real features"), as_matrix(synthetic, "synthetic features")
    centred = [arm - arm.mean(axis=0) for arm in (first, second)]
    centred = [arm / np.sqrt(len(arm) - 1) for arm in centred]
    # tr (A B)^1/2 is the nuclear norm of the cross-product of the two factors: no matrix root.
    overlap = np.linalg.norm(centred[0] @ centred[1].T, ord="nuc")
    spread = sum(float(np.sum(arm**2)) for arm in centred)
    shift = float(np.sum((first.mean(axis=0) - second.mean(axis=0)) ** 2))
    return max(0.0, shift + spread - 2 * float(overlap))


def _aligned(real: pd.DataFrame, synthetic: pd.DataFrame) -> pd.DataFrame:
    """Return synthetic with real's column order, after checking both."""
    if set(real.columns) != set(synthetic.columns) or real.shape[1] == 0:
        raise EvaluationError(
            "The real and the synthetic table must have the same columns.",
            given=f"differing: {sorted(map(str, set(real.columns) ^ set(synthetic.columns)))}",
            allowed=real.columns,
        )
    if len(real) < 2 or len(synthetic) < 2:
        raise EvaluationError(
            "Too few rows to compare tables.",
            given=f"{len(real)} real and {len(synthetic)} synthetic rows",
            allowed="at least 2 of each",
        )
    return synthetic[list(real.columns)]


def _is_numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _numbers(column: pd.Series) -> FloatArray:
    return pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)


def _levels(column: pd.Series) -> list[str]:
    return list(column.dropna().astype(str).value_counts().index[:_MOST_LEVELS])


def _codes(column: pd.Series, levels: list[str]) -> FloatArray:
    """Return level numbers, len(levels) for any other level, NaN for missing."""
    lookup = {level: float(i) for i, level in enumerate(levels)}
    present = column.notna().to_numpy()
    codes = column.astype(str).map(lookup).fillna(float(len(levels))).to_numpy(dtype=np.float64)
    return np.where(present, codes, np.nan)


def _numeric_distance(real: pd.Series, synthetic: pd.Series) -> float:
    first, second = _numbers(real), _numbers(synthetic)
    seen = [arm[~np.isnan(arm)] for arm in (first, second)]
    missing = [1 - len(kept) / len(arm) for kept, arm in zip(seen, (first, second), strict=True)]
    gap = abs(missing[0] - missing[1])
    if not len(seen[0]) or not len(seen[1]):
        return gap
    distance = ks_2samp(seen[0], seen[1], method="asymp").statistic
    return float(gap + (1 - max(missing)) * distance)


def _total_variation(real: pd.Series, synthetic: pd.Series) -> float:
    shares = [
        arm.astype(str).where(arm.notna(), None).value_counts(normalize=True, dropna=False)
        for arm in (real, synthetic)
    ]
    return float(shares[0].sub(shares[1], fill_value=0.0).abs().sum() / 2)


def _associations(
    frame: pd.DataFrame, levels: Mapping[str, list[str]], incomplete: list[str]
) -> pd.DataFrame:
    numeric = {str(n): _numbers(frame[n]) for n in frame.columns if n not in levels}
    for name in incomplete:
        numeric[f"{name} missing"] = frame[name].isna().to_numpy(dtype=np.float64)
    coded = {str(n): _codes(frame[n], known) for n, known in levels.items()}
    table = pd.DataFrame(numeric, index=frame.index)
    names = [*table.columns, *coded]
    matrix = pd.DataFrame(np.nan, index=names, columns=names)
    if len(table.columns):
        matrix.loc[table.columns, table.columns] = table.corr(method="spearman", min_periods=5)
    for name, codes in coded.items():
        ratios = _correlation_ratios(table, codes)
        matrix.loc[name, table.columns] = matrix.loc[table.columns, name] = ratios
        for other, other_codes in coded.items():
            matrix.loc[name, other] = _cramers_v(codes, other_codes)
    return matrix


def _correlation_ratios(table: pd.DataFrame, codes: FloatArray) -> FloatArray:
    """Return eta of each column's ranks given the codes, (columns,)."""
    coded = ~np.isnan(codes)
    ranks = table[coded].rank().to_numpy()  # (n, p), NaN kept
    member = codes[coded][:, None] == np.unique(codes[coded])  # (n, levels)
    seen = ~np.isnan(ranks)
    centred = np.where(seen, ranks - (seen.sum(axis=0) + 1) / 2, 0.0)
    counts = member.T.astype(float) @ seen  # (levels, p)
    sums = member.T.astype(float) @ centred
    between = (sums**2 / np.maximum(counts, 1)).sum(axis=0)
    within_all = (centred**2).sum(axis=0)
    varies = (within_all > 0) & ((counts > 0).sum(axis=0) > 1)
    ratio: FloatArray = np.full(ranks.shape[1], np.nan)
    ratio[varies] = np.sqrt(between[varies] / within_all[varies])
    return ratio


def _cramers_v(first: FloatArray, second: FloatArray) -> float:
    both = ~np.isnan(first) & ~np.isnan(second)
    rows, columns = (np.unique(c[both], return_inverse=True)[1] for c in (first, second))
    if not both.any() or rows.max() == 0 or columns.max() == 0:
        return float("nan")
    observed = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(observed, (rows, columns), 1.0)
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / both.sum()
    chi_square = ((observed - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi_square / (both.sum() * (min(observed.shape) - 1))))


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
