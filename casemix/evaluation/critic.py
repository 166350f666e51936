"""The critic: how well two views fit one person, learnt from real training pairs only.

It is the pointwise mutual information of the canonical variates of the two views under a Gaussian
model. That is the best possible critic of matched against shuffled pairs where the model holds,
needs no iterative fit, and gives the scores of all n x n pairs as three matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import (
    Affine,
    FloatArray,
    as_matrix,
    subject_folds,
    whitening,
)

_DIMS = (2, 4, 8, 16, 32)  # principal components tried per view
_FOLDS = 5
_FEWEST = 30  # training pairs
_CLIP = 3.5  # standard deviations: one outlying synthetic record must not own the scores


@dataclass(frozen=True)
class Critic:
    """A fitted critic.

    Attributes:
        first: map of the first view (d_a) to its k canonical variates.
        second: map of the second view (d_b) to its k canonical variates.
        correlations: (k,) cross-validated canonical correlations in [0, 1); all 0 where the
            training pairs show no dependence, and then every pair scores 0.
    """

    first: Affine
    second: Affine
    correlations: FloatArray

    def scores(self, first: npt.ArrayLike, second: npt.ArrayLike) -> FloatArray:
        """Return how well row i of ``first`` fits row j of ``second``, (n, m), in nats.

        Args:
            first: (n, d_a).
            second: (m, d_b).
        """
        u = np.clip(self.first(first), -_CLIP, _CLIP)  # (n, k)
        v = np.clip(self.second(second), -_CLIP, _CLIP)  # (m, k)
        rho = self.correlations
        weight = rho / (1 - rho**2)
        own = -rho * weight / 2
        products: FloatArray = (u * weight) @ v.T
        return products + ((u**2) @ own)[:, None] + ((v**2) @ own)[None, :]


class _Canonical(NamedTuple):
    first: Affine
    second: Affine


def fit_critic(first: npt.ArrayLike, second: npt.ArrayLike, *, seed: int) -> Critic:
    """Fit a critic to real training pairs; row i of both views is subject i.

    Both views are whitened on up to 32 principal components and rotated to their canonical
    variates. In-sample canonical correlations are far too high when n is near d, so correlations
    are those of held-out folds, and the number of components is the one with the most held-out
    mutual information.

    Args:
        first: (n, d_a) real training subjects, one row each.
        second: (n, d_b) the same subjects.
        seed: seed of the folds.

    Raises:
        EvaluationError: fewer than 30 pairs, rows that do not pair, or values not finite.

    Reference:
        Bach and Jordan, A probabilistic interpretation of CCA, 2005.
    """
    a = as_matrix(first, "the first view", rows=_FEWEST)
    b = as_matrix(second, "the second view", rows=_FEWEST)
    check_paired(a, b)
    fold = subject_folds(np.arange(len(a)), _FOLDS, seed=seed)
    most = min(max(_DIMS), len(a) // 8)
    tried = [dims for dims in _DIMS if dims <= max(most, min(_DIMS))]
    held_out = [_held_out_correlations(a, b, fold, dims) for dims in tried]
    information = [-0.5 * np.log(1 - rho**2).sum() for rho in held_out]
    best = int(np.argmax(information))
    maps = _canonical(a, b, tried[best])
    rho = held_out[best][: maps.first.weights.shape[1]]
    return Critic(maps.first, maps.second, rho)


def check_paired(first: FloatArray, second: FloatArray) -> None:
    """Raise `EvaluationError` unless both views have the same rows."""
    if len(first) != len(second):
        raise EvaluationError(
            "The two views do not pair: row i of both must be the same subject.",
            given=f"{len(first)} and {len(second)} rows",
            allowed="equal numbers of rows",
            next_step="Keep the subjects that have both views, in the same order.",
        )


def _canonical(a: FloatArray, b: FloatArray, dims: int) -> _Canonical:
    """Return the maps to canonical variates, in order of falling correlation."""
    white_a, white_b = whitening(a, dims), whitening(b, dims)
    u, _, vt = np.linalg.svd(white_a(a).T @ white_b(b) / len(a), full_matrices=False)
    return _Canonical(
        Affine(white_a.shift, white_a.weights @ u), Affine(white_b.shift, white_b.weights @ vt.T)
    )


def _held_out_correlations(
    a: FloatArray, b: FloatArray, fold: npt.NDArray[np.int64], dims: int
) -> FloatArray:
    """Return canonical correlations by rank on held-out folds, (dims,), 0 where not above noise."""
    total = np.zeros(dims)
    for k in range(_FOLDS):
        test = fold == k
        maps = _canonical(a[~test], b[~test], dims)
        u, v = maps.first(a[test]), maps.second(b[test])
        norms = np.sqrt((u**2).mean(axis=0) * (v**2).mean(axis=0))
        found = (u * v).mean(axis=0) / np.maximum(norms, 1e-12)
        total[: len(found)] += found / _FOLDS
    return np.where(total > 1 / np.sqrt(len(a)), np.minimum(total, 0.99), 0.0)
