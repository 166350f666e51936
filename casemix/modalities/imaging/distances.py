"""Kernel distance of two clouds of picture features."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from casemix.errors import EvaluationError
from casemix.evaluation.fidelity import TwoSample
from casemix.evaluation.statistics import (
    FloatArray,
    as_matrix,
    bootstrap_weights,
    percentile_interval,
    permutation_p_value,
)

_FEWEST = 4  # rows per arm


def kernel_distance(
    real: npt.ArrayLike, synthetic: npt.ArrayLike, *, seed: int, permutations: int = 200
) -> TwoSample:
    """Return the unbiased squared MMD under a cubic polynomial kernel; 0 is ideal.

    It has no bias that falls with n, unlike the Frechet distance; small negatives occur.

    Args:
        real: (n, d) features on scales that compare, one row per subject.
        synthetic: (m, d) the same of the records under test.
        seed: seed of bootstrap and permutations.
        permutations: how many for the one-sided p-value.

    Raises:
        EvaluationError: fewer than four rows, other columns, or values not finite.

    Reference:
        Binkowski et al., Demystifying MMD GANs (KID), ICLR 2018.
    """
    first = as_matrix(real, "real features", rows=_FEWEST)
    second = as_matrix(synthetic, "synthetic features", rows=_FEWEST)
    if first.shape[1] != second.shape[1]:
        raise EvaluationError(
            "Real and synthetic features have different columns.",
            given=f"{first.shape[1]} and {second.shape[1]} columns",
            allowed="equal numbers of columns",
        )
    both = np.concatenate([first, second])
    kernel = (both @ both.T / both.shape[1] + 1) ** 3
    np.fill_diagonal(kernel, 0)
    n, m = len(first), len(second)
    own = np.repeat([1.0, 0.0], [n, m])
    shuffled = np.random.default_rng(seed).permuted(np.tile(own, (permutations, 1)), axis=1)
    drawn = _discrepancy(
        kernel,
        np.pad(bootstrap_weights(n, seed=seed), ((0, 0), (0, m))),
        np.pad(bootstrap_weights(m, seed=seed + 1), ((0, 0), (n, 0))),
    )
    value = float(_discrepancy(kernel, own[None], 1 - own[None])[0])
    null = _discrepancy(kernel, shuffled, 1 - shuffled)
    p_value = permutation_p_value(value, null)
    return TwoSample(value, percentile_interval(drawn), n + m, p_value)


def _discrepancy(kernel: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    """Return the statistic for each row of weights (repeats, n + m); the diagonal is 0."""

    def mean(left: FloatArray, right: FloatArray) -> FloatArray:
        pairs = left.sum(axis=1) * right.sum(axis=1) - (left * right).sum(axis=1)
        return ((left @ kernel) * right).sum(axis=1) / pairs

    return mean(first, first) + mean(second, second) - 2 * mean(first, second)
