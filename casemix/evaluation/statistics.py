"""Statistics that every metric family shares: resampling by subject, ranks and whitening.

Subjects, not records, are the independent units of a cohort: intervals resample subjects and
folds split them, so that several records of one subject never count as independent evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from casemix.errors import EvaluationError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Estimate:
    """A number with its bootstrap interval.

    Attributes:
        value: the point estimate, on all records.
        interval: (low, high), percentile bootstrap over subjects.
        n: how many subjects (or records, where the function says so) stand behind it.
    """

    value: float
    interval: tuple[float, float]
    n: int


@dataclass(frozen=True)
class Affine:
    """The map ``(x - shift) @ weights``, fitted on a reference by one of the functions below.

    Attributes:
        shift: (d,) mean of the reference.
        weights: (d, k) scales or whitening directions.
    """

    shift: FloatArray
    weights: FloatArray

    def __call__(self, values: npt.ArrayLike) -> FloatArray:
        """Map values (n, d) to (n, k)."""
        moved: FloatArray = (as_matrix(values, "values", rows=1) - self.shift) @ self.weights
        return moved


def as_matrix(values: npt.ArrayLike, name: str, *, rows: int = 2, nan: bool = False) -> FloatArray:
    """Return values as a float64 matrix (n, d), checked.

    Args:
        values: (n, d), or (n,) which becomes (n, 1).
        name: what the array is, for the error message.
        rows: fewest rows allowed.
        nan: whether NaN (missing) is allowed; infinity never is.

    Raises:
        EvaluationError: wrong shape, too few rows, NaN or infinity.
    """
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim != 2 or matrix.shape[0] < rows or matrix.shape[1] == 0:
        raise EvaluationError(
            f"Cannot judge {name}: it has the wrong shape or too few rows.",
            given=f"shape {matrix.shape}",
            allowed=f"shape (n, d) with n >= {rows} and d >= 1",
            next_step="Evaluate on more subjects.",
        )
    bad = np.isinf(matrix) if nan else ~np.isfinite(matrix)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise EvaluationError(
            f"Cannot judge {name}: it holds values that are not finite.",
            given=f"{matrix[row, column]} in row {row}, column {column}",
            allowed="finite numbers" + (" or NaN for missing" if nan else ""),
            next_step="Impute or drop missing values first." if not nan else "",
        )
    return matrix


def as_subjects(subjects: npt.ArrayLike | None, n: int) -> IntArray:
    """Return subjects as integer codes 0..s-1, (n,); each row its own subject if None.

    Raises:
        EvaluationError: the number of ids is not the number of rows.
    """
    if subjects is None:
        return np.arange(n)
    codes = np.unique(np.asarray(subjects).astype(str), return_inverse=True)[1].astype(np.int64)
    if codes.shape != (n,):
        raise EvaluationError(
            "Subject ids do not match the rows.", given=codes.shape, allowed=f"shape ({n},)"
        )
    return codes


def bootstrap_rows(subjects: npt.ArrayLike, *, seed: int, repeats: int = 200) -> list[IntArray]:
    """Return the rows of each bootstrap sample of subjects.

    Args:
        subjects: (n,) subject id of each row, or an int n for n one-row subjects.
        seed: same seed and subjects, same samples: so paired differences can be formed.
        repeats: number of samples.

    Returns:
        ``repeats`` arrays of row numbers; a subject drawn twice brings its rows twice.
    """
    if isinstance(subjects, (int, np.integer)):
        subjects = np.arange(int(subjects))
    codes = as_subjects(subjects, len(np.asarray(subjects)))
    order = np.argsort(codes, kind="stable")
    rows_of = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(rows_of), size=(repeats, len(rows_of)))
    return [np.concatenate([rows_of[s] for s in sample]) for sample in drawn]


def bootstrap_weights(n: int, *, seed: int, repeats: int = 200) -> FloatArray:
    """Return how often each of n subjects is drawn in each bootstrap sample, (repeats, n)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n, np.full(n, 1.0 / n), size=repeats).astype(np.float64)


def percentile_interval(draws: npt.ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Return the central ``level`` interval of bootstrap draws; NaN draws do not count.

    Returns:
        (low, high), or (nan, nan) where less than half of the draws are defined.

    Reference:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    values = np.asarray(draws, dtype=np.float64)
    defined = values[np.isfinite(values)]
    if 2 * len(defined) < len(values) or not len(defined):
        return (float("nan"), float("nan"))
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return (float(low), float(high))


def bootstrap_interval(
    statistic: Callable[[IntArray], float],
    subjects: npt.ArrayLike,
    *,
    seed: int,
    repeats: int = 200,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return a percentile interval from resampling subjects.

    Args:
        statistic: takes row numbers (with repeats) and returns the statistic of those rows.
            Give it precomputed predictions or distances: never a model to fit.
        subjects: (n,) subject id of each row, or an int n for n one-row subjects.
        seed: seed of the resampling.
        repeats: number of bootstrap samples.
        level: coverage, in (0, 1).

    Returns:
        (low, high).
    """
    samples = bootstrap_rows(subjects, seed=seed, repeats=repeats)
    return percentile_interval([statistic(rows) for rows in samples], level)


def subject_folds(subjects: npt.ArrayLike, k: int, *, seed: int) -> IntArray:
    """Return a fold number 0..k-1 for each row; all rows of a subject share one.

    Raises:
        EvaluationError: fewer than k subjects.
    """
    codes = as_subjects(subjects, len(np.asarray(subjects)))
    count = int(codes.max()) + 1 if len(codes) else 0
    if count < k:
        raise EvaluationError(
            "Too few subjects to split into folds.",
            given=f"{count} subjects",
            allowed=f"at least {k}",
            next_step="Evaluate on more subjects or ask for fewer folds.",
        )
    fold_of: IntArray = np.random.default_rng(seed).permutation(np.arange(count) % k)
    return fold_of[codes]


def permutation_p_value(observed: float, null: npt.ArrayLike) -> float:
    """Return the one-sided p-value of an observed statistic among permuted ones, in (0, 1].

    Reference:
        Phipson and Smyth, Permutation p-values should never be zero, 2010.

    >>> permutation_p_value(3.0, [0.0, 1.0, 2.0])
    0.25
    """
    permuted = np.asarray(null, dtype=np.float64)
    return float((1 + np.count_nonzero(permuted >= observed)) / (1 + len(permuted)))


def equal_sizes(*arms: npt.ArrayLike, seed: int) -> list[IntArray]:
    """Return row numbers per arm such that all arms have equally many subjects.

    Args:
        arms: each (n_i,) subject ids of one arm's rows.
        seed: seed of the draw without replacement.

    Returns:
        One sorted array of row numbers per arm; the smallest arm keeps all its rows.
    """
    codes = [as_subjects(arm, len(np.asarray(arm))) for arm in arms]
    counts = [len(np.unique(code)) for code in codes]
    rng = np.random.default_rng(seed)
    kept = [rng.permutation(count)[: min(counts)] for count in counts]
    return [np.flatnonzero(np.isin(code, keep)) for code, keep in zip(codes, kept, strict=True)]


def auc(scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return the area under the ROC curve, ties counted half; NaN where one class is absent.

    Args:
        scores: (n,) higher means label 1.
        labels: (n,) 0 or 1.

    Reference:
        Hanley and McNeil, Radiology 1982.

    >>> auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.75
    """
    positive = np.asarray(labels).astype(bool)
    count = int(positive.sum())
    others = len(positive) - count
    if count == 0 or others == 0:
        return float("nan")
    ranks = rankdata(np.asarray(scores, dtype=np.float64))
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others))


def standardisation(reference: npt.ArrayLike) -> Affine:
    """Return the map to mean 0 and standard deviation 1 on the reference (n, d).

    A constant column is only centred.
    """
    values = as_matrix(reference, "the reference")
    spread = values.std(axis=0)
    scale = np.where(spread > 1e-12 * (1 + np.abs(values).max(axis=0)), spread, 1.0)
    return Affine(values.mean(axis=0), np.diag(1.0 / scale))


def whitening(reference: npt.ArrayLike, dims: int) -> Affine:
    """Return the PCA map to at most ``dims`` uncorrelated columns of unit variance.

    Columns are standardised first, so units do not matter. Directions that hold under 1e-6 of the
    variance of the largest are left out: whitening would blow up their rounding errors.

    Args:
        reference: (n, d) values to fit on.
        dims: most columns to keep.
    """
    scaled = standardisation(reference)
    values = scaled(reference)
    _, singular, directions = np.linalg.svd(values, full_matrices=False)
    deviations = singular / np.sqrt(len(values))
    keep = min(dims, int(np.count_nonzero(deviations**2 > 1e-6 * deviations[0] ** 2)))
    if keep == 0:  # a constant reference has no direction: everything maps to 0
        return Affine(scaled.shift, np.zeros((values.shape[1], 1)))
    return Affine(scaled.shift, scaled.weights @ directions[:keep].T / deviations[:keep])
