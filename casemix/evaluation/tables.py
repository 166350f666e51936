"""Fidelity of tables: column marginals, pairwise dependence, and columns as numbers for trees.

A column is numeric, or categorical: anything else, and booleans. Missing values are data: a share
of each column's mass, and an indicator that may depend on the other columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import ks_2samp

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import FloatArray

_MISSING = "\0missing"  # a level of its own, which no real level equals
_MOST_LEVELS = 50  # rarer levels of the real column share one state, so codes stay comparable


@dataclass(frozen=True)
class Columnwise:
    """A similarity in [0, 1] and its parts.

    Attributes:
        value: mean over the columns (or column pairs).
        parts: similarity by column name (or "first ~ second").
    """

    value: float
    parts: Mapping[str, float]


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
    with np.errstate(divide="ignore"):  # in the p-value of one record, which is not used
        distance = ks_2samp(seen[0], seen[1], method="asymp").statistic
    return float(gap + (1 - max(missing)) * distance)


def _total_variation(real: pd.Series, synthetic: pd.Series) -> float:
    shares = [
        arm.astype(str).where(arm.notna(), _MISSING).value_counts(normalize=True)
        for arm in (real, synthetic)
    ]
    return float(shares[0].sub(shares[1], fill_value=0.0).abs().sum() / 2)


def _associations(
    frame: pd.DataFrame, levels: Mapping[str, list[str]], incomplete: list[str]
) -> pd.DataFrame:
    numeric: dict[str, FloatArray] = {
        str(n): _numbers(frame[n]) for n in frame.columns if n not in levels
    }
    for name in incomplete:
        numeric[f"{name} missing"] = frame[name].isna().to_numpy().astype(np.float64)
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
