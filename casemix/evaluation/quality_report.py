"""Column Shapes and Column Pair Trends as sdmetrics defines them, to compare with papers.

They tell arms apart worse than ours (`tables.marginal_similarity`, `dependence_similarity`): cells
that are missing count for nothing in the shapes, independent columns score nearly as well as real
ones, and the trends cut numbers into bins of each table's own range: one largest value moves them
all, so that two real samples of 1,500 rows may score .83.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import FloatArray, IntArray
from casemix.evaluation.tables import (
    Columnwise,
    aligned,
    is_numeric,
    ks_distance,
    numbers,
    total_variation,
)

_BINS = 10


def column_shapes(real: pd.DataFrame, synthetic: pd.DataFrame) -> Columnwise:
    """Return sdmetrics' Column Shapes, in [0, 1]; 1 is ideal.

    Numeric columns: 1 - Kolmogorov-Smirnov distance of the observed cells; others: 1 - total
    variation distance of them. Columns without any observed cell in an arm are left out.

    Raises:
        EvaluationError: the frames' columns differ, one has no rows, or no column is observed.

    Reference:
        sdmetrics 0.32, ``KSComplement`` and ``TVComplement``.
    """
    synthetic = aligned(real, synthetic)
    parts = {}
    for name in real.columns:
        first, second = real[name].dropna(), synthetic[name].dropna()
        if len(first) and len(second):
            parts[str(name)] = 1.0 - _shape_distance(first, second)
    if not parts:
        raise EvaluationError("No column has observed cells in both arms.", given=real.columns)
    return Columnwise(float(np.mean(list(parts.values()))), parts)


def pair_trends(
    real: pd.DataFrame, synthetic: pd.DataFrame, *, bins: Literal["each", "real"] = "each"
) -> Columnwise:
    """Return sdmetrics' Column Pair Trends, in [0, 1]; 1 is ideal.

    Two numeric columns: 1 - half the difference of Pearson correlations over complete rows; pairs
    that are undefined in an arm are left out. Otherwise 1 - total variation distance of the joint
    distribution, numbers cut into 10 bins of equal width, missing cells a level. All pairs count;
    sdmetrics' report leaves weak ones out where a threshold is set.

    Args:
        real: (n, d).
        synthetic: (m, d), the same columns.
        bins: ``each``: of each table's own range, which is sdmetrics' definition; ``real``: of the
            real table's range for both, which is sounder.

    Raises:
        EvaluationError: the frames' columns differ, one has no rows, or no pair is defined.

    Reference:
        sdmetrics 0.32, ``CorrelationSimilarity`` and ``ContingencySimilarity``.
    """
    synthetic = aligned(real, synthetic)
    names = list(real.columns)
    similarity = np.full((len(names), len(names)), np.nan)
    numeric = [i for i, name in enumerate(names) if is_numeric(real[name])]
    if numeric:
        tables = [
            pd.DataFrame({i: numbers(arm[names[i]]) for i in numeric}).corr(min_periods=2)
            for arm in (real, synthetic)
        ]
        similarity[np.ix_(numeric, numeric)] = 1.0 - np.abs(tables[0] - tables[1]) / 2
    coded = [_coded(real[name], synthetic[name], shared=bins == "real") for name in names]
    for i, j in zip(*np.triu_indices(len(names), 1), strict=True):
        if i not in numeric or j not in numeric:
            similarity[i, j] = 1.0 - _joint_distance(coded[i], coded[j], len(real))
    parts = {
        f"{names[i]} ~ {names[j]}": float(similarity[i, j])
        for i, j in zip(*np.triu_indices(len(names), 1), strict=True)
        if np.isfinite(similarity[i, j])
    }
    if not parts:
        raise EvaluationError("No pair of columns has a defined trend.", given=real.columns)
    return Columnwise(float(np.mean(list(parts.values()))), parts)


def _shape_distance(first: pd.Series, second: pd.Series) -> float:
    if is_numeric(first):
        return ks_distance(numbers(first), numbers(second))
    return total_variation(first, second)


def _coded(real: pd.Series, synthetic: pd.Series, *, shared: bool) -> IntArray:
    """Return one level number per cell of both arms, real first; missing is a level."""
    if is_numeric(real):
        first, second = numbers(real), numbers(synthetic)
        ranges = (first, first if shared else second)
        return np.concatenate([_binned(v, r) for v, r in zip((first, second), ranges, strict=True)])
    cells = pd.concat([real, synthetic], ignore_index=True)
    codes: IntArray = pd.factorize(cells.astype(str).where(cells.notna(), None))[0] + 1
    return codes.astype(np.int64)


def _binned(values: FloatArray, reference: FloatArray) -> IntArray:
    """Return bin numbers 0..11; as in sdmetrics the largest and the missing share the last."""
    observed = reference[~np.isnan(reference)]
    if not len(observed):
        return np.isnan(values).astype(np.int64)
    return np.digitize(values, np.histogram_bin_edges(observed, bins=_BINS)).astype(np.int64)


def _joint_distance(first: IntArray, second: IntArray, real: int) -> float:
    width = int(second.max()) + 1
    cells = np.unique(first * width + second, return_inverse=True)[1]
    count = int(cells.max()) + 1
    shares = [np.bincount(arm, minlength=count) / len(arm) for arm in (cells[:real], cells[real:])]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)
