"""Distances of two weighted samples on a line, for many weightings at once."""

from __future__ import annotations

import numpy as np


def kolmogorov_smirnov(
    first: np.ndarray, second: np.ndarray, weights: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return the largest difference of the two distribution functions, (r,), in [0, 1].

    Args:
        first: (n,), NaN = missing, which does not count.
        second: (m,).
        weights: of the first, (r, n), and of the second sample, (r, m), not negative.

    Returns:
        NaN where one sample has no weight on a number.
    """
    points, one, other = _distribution_functions(first, second, weights)
    if not len(points):
        return np.full(len(weights[0]), np.nan)
    return np.abs(one - other).max(axis=1)


def wasserstein(
    first: np.ndarray, second: np.ndarray, weights: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return the 1-Wasserstein distance, (r,), in the numbers' unit; arguments as above."""
    points, one, other = _distribution_functions(first, second, weights)
    if not len(points):
        return np.full(len(weights[0]), np.nan)
    return np.abs(one - other)[:, :-1] @ np.diff(points)


def with_missing(
    first: np.ndarray, second: np.ndarray, weights: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return the Kolmogorov-Smirnov distance with missing as a share of its own, (r,), in [0, 1].

    It is ``|m - m'| + (1 - max(m, m')) KS`` with the missing rates m and m', as for columns of
    tables; arguments as above.
    """
    rates = [
        (w @ np.isnan(x)) / w.sum(axis=1) for x, w in zip((first, second), weights, strict=True)
    ]
    difference = np.abs(rates[0] - rates[1])
    rest = 1 - np.maximum(rates[0], rates[1])
    distance = kolmogorov_smirnov(first, second, weights)
    return difference + np.where(rest > 0, rest * np.nan_to_num(distance), 0.0)


def _distribution_functions(
    first: np.ndarray, second: np.ndarray, weights: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct values (k,) and both distribution functions at them, (r, k)."""
    first, second = first.astype(np.float64), second.astype(np.float64)
    known = ~np.isnan(first), ~np.isnan(second)
    points, place = np.unique(
        np.concatenate([first[known[0]], second[known[1]]]), return_inverse=True
    )
    places = place[: known[0].sum()], place[known[0].sum() :]
    functions = []
    for weight, seen, where in zip(weights, known, places, strict=True):
        order = np.argsort(where, kind="stable")
        total = np.cumsum(weight[:, seen][:, order], axis=1)
        upto = np.searchsorted(where[order], np.arange(len(points)), side="right")
        total = np.concatenate([np.zeros((len(weight), 1)), total], axis=1)
        with np.errstate(invalid="ignore"):
            functions.append(total[:, upto] / total[:, -1:])
    return points, functions[0], functions[1]
