"""Dependence of two views by kernels, without a critic and without training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from casemix.evaluation.critic import check_paired
from casemix.evaluation.statistics import FloatArray, as_matrix, standardisation


def hsic(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return the normalised Hilbert-Schmidt independence criterion; about 0 if independent, <= 1.

    Unbiased HSIC with Gaussian kernels at the median distance of standardised columns, over the
    geometric mean of both self-terms (kernel alignment); 0 for a constant view.

    Args:
        first: (n, d_a).
        second: (n, d_b).

    Raises:
        EvaluationError: fewer than 4 rows, rows that do not pair, or values not finite.

    Reference:
        Song et al., Feature selection via dependence maximization, JMLR 2012, equation 5.
    """
    return hsic_and_null(first, second, [])[0]


def hsic_and_null(
    first: npt.ArrayLike, second: npt.ArrayLike, orders: Sequence[npt.NDArray[np.int64]]
) -> tuple[float, list[float]]:
    """Return `hsic`, and its values where the second view's rows are taken in these orders."""
    a, b = as_matrix(first, "the first view", rows=4), as_matrix(second, "the second view", rows=4)
    check_paired(a, b)
    left, right = _hollow_kernel(a), _hollow_kernel(b)
    scale = _unbiased_hsic(left, left) * _unbiased_hsic(right, right)
    if scale <= 0:
        return 0.0, [0.0] * len(orders)
    moved = (right[np.ix_(order, order)] for order in orders)
    value, *null = (_unbiased_hsic(left, k) / float(np.sqrt(scale)) for k in (right, *moved))
    return value, null


def _hollow_kernel(values: FloatArray) -> FloatArray:
    """Return the Gaussian kernel with a zero diagonal, (n, n)."""
    scaled = standardisation(values)(values)
    squares = cdist(scaled, scaled, "sqeuclidean")
    typical = np.median(squares[np.triu_indices(len(values), 1)])
    kernel: FloatArray = np.exp(-squares / typical) if typical > 0 else np.ones_like(squares)
    np.fill_diagonal(kernel, 0.0)
    return kernel


def _unbiased_hsic(left: FloatArray, right: FloatArray) -> float:
    """Equation 5 of Song et al. for kernels with a zero diagonal."""
    n = len(left)
    trace = float(np.sum(left * right))
    totals = float(left.sum() * right.sum()) / ((n - 1) * (n - 2))
    cross = 2 * float(left.sum(axis=0) @ right.sum(axis=0)) / (n - 2)
    return (trace + totals - cross) / (n * (n - 3))
