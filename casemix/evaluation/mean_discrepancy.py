"""The maximum mean discrepancy of two samples, with a Gaussian kernel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from casemix.evaluation.statistics import (
    FloatArray,
    IntArray,
    bootstrap_weights,
    percentile_interval,
    permutation_p_value,
)
from casemix.evaluation.two_samples import TwoSample, as_clouds

_BANDWIDTHS = (0.5, 1.0, 2.0)  # multiples of the median distance


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
    first, second, ids_first, ids_second = as_clouds(
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
        value, percentile_interval(drawn), len(kernel), permutation_p_value(value, null)
    )


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
