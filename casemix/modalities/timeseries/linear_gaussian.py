"""A linear-Gaussian model of a vector given any subset of conditions, with honest residuals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

_PENALTIES = np.geomspace(1.0, 1e4, 13)
_ROUNDS = 12  # of expectation-maximisation
_SHRINK = 0.05  # of the conditions' covariance to its diagonal: one-hot blocks are collinear


@dataclass(frozen=True)
class LinearGaussian:
    """``y = B c + e`` with ``c`` and ``e`` Gaussian; unknown parts of ``c`` are integrated out.

    Each target has its own ridge penalty, chosen by leave-one-out error, and the residual
    covariance is that of leave-one-out residuals: many conditions and few subjects then neither
    tie the target to noise nor make it too certain.

    Args:
        mean: of the conditions, (p,).
        covariance: of the conditions, (p, p).
        weights: B, (p, k).
        offset: mean of y, (k,).
        residual: covariance of e, (k, k).
    """

    mean: np.ndarray
    covariance: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    residual: np.ndarray

    @classmethod
    def fit(cls, conditions: np.ndarray, known: np.ndarray, targets: np.ndarray) -> Self:
        """Learn from encoded conditions (n, p), which of them are known (n, p), and y (n, k)."""
        c, y = conditions.astype(np.float64), targets.astype(np.float64)
        mean, covariance, filled = _completed(c, known > 0)
        offset = y.mean(axis=0)
        weights, errors = _ridge(filled - mean, y - offset)
        residual = errors.T @ errors / len(y)
        return cls(mean, covariance, weights, offset, residual)

    def draw(self, conditions: np.ndarray, known: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Return one y per row, (n, k).

        Args:
            conditions: (n, p).
            known: (n, p), 1 = known.
            noise: standard normal, (n, k).
        """
        out = np.empty((len(conditions), len(self.offset)))
        rows = known > 0
        patterns, which = np.unique(rows, axis=0, return_inverse=True)
        for i, pattern in enumerate(patterns):
            here = np.flatnonzero(which.reshape(-1) == i)
            gain, spread = self._given(pattern)
            root = _root(self.residual + self.weights.T @ spread @ self.weights)
            for row in here:  # one by one: a matrix product would round with the batch's shape
                centred = np.where(pattern, conditions[row] - self.mean, 0.0)
                out[row] = self.offset + (gain @ centred) @ self.weights + root @ noise[row]
        return out

    def _given(self, pattern: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the map from known to all centred conditions, and the covariance left over."""
        return _conditional(self.covariance, pattern)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the parameters as named arrays for an artifact."""
        names = ("mean", "covariance", "weights", "offset", "residual")
        return {f"linear.{name}": getattr(self, name) for name in names}

    @classmethod
    def from_arrays(cls, named: Mapping[str, np.ndarray]) -> Self:
        """Rebuild what `arrays` returned."""
        names = ("mean", "covariance", "weights", "offset", "residual")
        return cls(*(named[f"linear.{name}"] for name in names))


def _completed(c: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, covariance and filled-in conditions, by expectation-maximisation."""
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, c, 0.0).sum(axis=0) / count
    filled = np.where(known, c, mean)
    patterns, which = np.unique(known, axis=0, return_inverse=True)
    which = which.reshape(-1)
    covariance = _shrunk(np.cov(filled.T, bias=True).reshape(c.shape[1], c.shape[1]))
    for _ in range(_ROUNDS if not known.all() else 0):
        extra = np.zeros_like(covariance)
        for i, pattern in enumerate(patterns):
            here = np.flatnonzero(which == i)
            gain, spread = _conditional(covariance, pattern)
            filled[here] = mean + np.where(pattern, c[here] - mean, 0.0) @ gain.T
            extra += len(here) * spread
        mean = filled.mean(axis=0)
        centred = filled - mean
        covariance = _shrunk((centred.T @ centred + extra) / len(c))
    return mean, covariance, filled


def _shrunk(covariance: np.ndarray) -> np.ndarray:
    diagonal = np.diag(np.maximum(np.diag(covariance), 1e-6))
    return (1 - _SHRINK) * covariance + _SHRINK * diagonal


def _conditional(covariance: np.ndarray, pattern: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return gain (p, p), from known to all, and the covariance of all given the known (p, p)."""
    size = len(pattern)
    gain, spread = np.diag(pattern.astype(float)), np.zeros((size, size))
    if pattern.all():
        return gain, spread
    unknown = ~pattern
    cross = covariance[np.ix_(unknown, pattern)]
    solved = np.linalg.solve(covariance[np.ix_(pattern, pattern)], cross.T).T
    gain[np.ix_(unknown, pattern)] = solved
    spread[np.ix_(unknown, unknown)] = covariance[np.ix_(unknown, unknown)] - solved @ cross.T
    return gain, spread


def _ridge(c: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (p, k) and leave-one-out residuals (n, k), each target's penalty its best."""
    if c.shape[1] == 0:
        return np.zeros((0, y.shape[1])), y
    u, s, vt = np.linalg.svd(c, full_matrices=False)
    projected = u.T @ y  # (r, k)
    weights, errors = np.zeros((c.shape[1], y.shape[1])), np.empty_like(y)
    least = np.full(y.shape[1], np.inf)
    for penalty in _PENALTIES:
        keep = s**2 / (s**2 + penalty)
        leverage = (u**2) @ keep + 1.0 / len(y)
        left = (y - u @ (keep[:, None] * projected)) / (1.0 - np.minimum(leverage, 0.99))[:, None]
        loss = (left**2).mean(axis=0)
        better = loss < least
        least = np.where(better, loss, least)
        errors[:, better] = left[:, better]
        new = vt.T @ ((s / (s**2 + penalty))[:, None] * projected)
        weights[:, better] = new[:, better]
    return weights, errors


def _root(covariance: np.ndarray) -> np.ndarray:
    """Return a square root of a covariance that may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))
