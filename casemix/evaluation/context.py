"""Recorded context: taking it out of a view, and exchanging subjects within it.

What two views share only through the recorded context (labels, age, sex, site) is no link between
*patients*. Two things take it away, each making good what the other leaves: residuals given the
context, and comparisons among subjects whose context is nearly equal.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import FloatArray, IntArray, as_matrix, standardisation

_PENALTIES = np.logspace(-3, 3, 13)


def residualise(values: npt.ArrayLike, context: npt.ArrayLike) -> FloatArray:
    """Return what the context does not explain of each column, (n, d).

    Leave-one-out residuals of kernel ridge regression on the standardised context. Kernel (linear;
    quadratic, for interactions; linear plus Laplace, for bends and steps) and penalty are those of
    the least leave-one-out error, column by column. Given the context, residuals of two
    conditionally independent views are uncorrelated up to the product of both regressions'
    errors: with few subjects and a context that acts in intricate ways, some of it stays in.

    Args:
        values: (n, d) one row per subject.
        context: (n, c) recorded context as numbers (categories one-hot).

    Raises:
        EvaluationError: fewer than 10 rows, rows that do not pair, or values not finite.

    Reference:
        Shah and Peters, The hardness of conditional independence testing, 2020.
    """
    y = as_matrix(values, "the view", rows=10)
    c = as_matrix(context, "the context", rows=10)
    if len(y) != len(c):
        raise EvaluationError(
            "The view and its context do not pair.", given=f"{len(y)} and {len(c)} rows"
        )
    scale = np.maximum(y.std(axis=0), 1e-12)
    y = (y - y.mean(axis=0)) / scale
    best, least = y, np.full(y.shape[1], np.inf)
    for kernel in _kernels(c):
        eigenvalues, basis = np.linalg.eigh(kernel)
        for penalty in _PENALTIES:
            left = _leave_one_out(y, np.maximum(eigenvalues, 0.0), basis, penalty)
            error = np.mean(left**2, axis=0)
            best = np.where(error < least, left, best)
            least = np.minimum(error, least)
    return best * scale


def _kernels(context: FloatArray) -> Iterator[FloatArray]:
    """Yield the centred kernels (n, n) of the context, each with mean diagonal 1."""
    c = standardisation(context)(context)
    linear = c @ c.T / c.shape[1]
    steps = cdist(c, c, "cityblock")
    typical = float(np.median(steps[steps > 0])) if (steps > 0).any() else 1.0
    for kernel in (linear, (1 + linear) ** 2, linear + np.exp(-steps / typical)):
        centred = kernel - kernel.mean(axis=0)
        centred -= centred.mean(axis=1, keepdims=True)
        yield centred / max(float(np.trace(centred)) / len(c), 1e-12)


def _leave_one_out(
    y: FloatArray, eigenvalues: FloatArray, basis: FloatArray, penalty: float
) -> FloatArray:
    shrink = eigenvalues / (eigenvalues + penalty * len(y) / 10)
    fitted = basis @ (shrink[:, None] * (basis.T @ y))
    leverage = (basis**2) @ shrink + 1 / len(y)  # the mean costs 1 / n
    residuals: FloatArray = (y - fitted) / np.maximum(1 - leverage, 1e-3)[:, None]
    return residuals


def context_neighbours(
    context: npt.ArrayLike, *, groups: npt.ArrayLike | None = None, k: int = 5
) -> npt.NDArray[np.bool_]:
    """Return which subjects j have nearly the context of subject i, (n, n), False for i itself.

    The k nearest in standardised context, and any that tie with the k-th: subjects of equal
    context are all neighbours. Within groups the context decides; a subject alone in its group
    looks among all subjects.

    Args:
        context: (n, c) recorded context as numbers.
        groups: (n,) labels that neighbours must share, or None.
        k: neighbours at least, where the group has as many.

    Raises:
        EvaluationError: fewer than 3 rows, or values not finite.
    """
    c = as_matrix(context, "the context", rows=3)
    c = standardisation(c)(c)
    distances = cdist(c, c)
    np.fill_diagonal(distances, np.inf)
    if groups is not None:
        labels = np.asarray(groups).astype(str)
        same = labels[:, None] == labels[None, :]
        alone = same.sum(axis=1) == 1
        distances = np.where(same | alone[:, None], distances, np.inf)
    reach = np.partition(distances, min(k, len(c) - 1) - 1, axis=1)[:, min(k, len(c) - 1) - 1]
    # A group smaller than k has infinite reach: then all of the group are neighbours.
    near: npt.NDArray[np.bool_] = (distances <= reach[:, None] + 1e-12) & np.isfinite(distances)
    return near


def permute_all(n: int, *, seed: int) -> IntArray:
    """Return a random derangement of n subjects: nobody keeps their place.

    Raises:
        EvaluationError: fewer than 2 subjects.
    """
    return derangement(~np.eye(max(n, 0), dtype=bool), seed=seed)


def permute_within(
    context: npt.ArrayLike, *, groups: npt.ArrayLike | None = None, k: int = 5, seed: int
) -> IntArray:
    """Return a random derangement that moves subjects among `context_neighbours`.

    Where no such derangement exists, as few subjects as possible go to someone else.
    """
    return derangement(context_neighbours(context, groups=groups, k=k), seed=seed)


def derangement(allowed: npt.NDArray[np.bool_], *, seed: int) -> IntArray:
    """Return a random permutation p with p[i] != i that uses allowed pairs (i, p[i]) if it can.

    Args:
        allowed: (n, n) True where i may be exchanged for j.
        seed: seed of the random costs of the assignment.

    Raises:
        EvaluationError: fewer than 2 subjects.
    """
    n = len(allowed)
    if n < 2:
        raise EvaluationError("Nobody to exchange.", given=f"{n} subjects", allowed="at least 2")
    rng = np.random.default_rng(seed)
    if np.count_nonzero(allowed) - np.count_nonzero(np.diag(allowed)) == n * (n - 1):
        while True:  # about e tries: much cheaper than an assignment
            order = rng.permutation(n)
            if (order != np.arange(n)).all():
                return np.asarray(order, dtype=np.int64)
    cost = rng.random((n, n)) + 10.0 * n * ~allowed
    np.fill_diagonal(cost, 1e3 * n * n)
    return np.asarray(linear_sum_assignment(cost)[1], dtype=np.int64)
