"""One-nearest-neighbour accuracy: is a record's nearest neighbour of its own arm?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from casemix.errors import EvaluationError
from casemix.evaluation.permutation import permuted_nearest_neighbour, two_sided_p_value
from casemix.evaluation.statistics import (
    FloatArray,
    IntArray,
    bootstrap_rows,
    percentile_interval,
)
from casemix.evaluation.two_samples import TwoSample, as_clouds


def one_nearest_neighbour_accuracy(
    real: npt.ArrayLike,
    synthetic: npt.ArrayLike,
    *,
    subjects_real: npt.ArrayLike | None = None,
    subjects_synthetic: npt.ArrayLike | None = None,
    seed: int,
) -> TwoSample:
    """Return the leave-one-out accuracy of a 1-NN classifier, real against synthetic; 0.5 ideal.

    1 means two separate clouds; below 0.5 synthetic records sit on top of real ones. A neighbour
    of the same subject does not count. Columns are standardised on the real rows; a tie between
    the arms counts half. The interval resamples the subjects of the per-record hits: resampling
    records themselves would make every record its own neighbour. The two-sided p-value lets
    subjects change arms.

    Raises:
        EvaluationError: arms whose sizes differ by more than a quarter (the accuracy would then
            not be 0.5 for equal distributions), or values not finite.

    Reference:
        Xu et al., An empirical study on evaluation metrics of GANs, 2018.
    """
    first, second, ids_first, ids_second = as_clouds(
        real, synthetic, subjects_real, subjects_synthetic
    )
    if max(len(first), len(second)) > 1.25 * min(len(first), len(second)):
        raise EvaluationError(
            "Nearest-neighbour accuracy needs arms of equal size.",
            given=f"{len(first)} real and {len(second)} synthetic rows",
            allowed="sizes within a quarter of each other",
            next_step="Draw equal arms with equal_sizes().",
        )
    hits_first, hits_second = _hits(first, second, ids_first, ids_second)
    draws = [
        (hits_first[a].mean() + hits_second[b].mean()) / 2
        for a, b in zip(
            bootstrap_rows(ids_first, seed=seed),
            bootstrap_rows(ids_second, seed=seed + 1),
            strict=True,
        )
    ]
    value = float((hits_first.mean() + hits_second.mean()) / 2)
    null = permuted_nearest_neighbour(
        np.concatenate([first, second]),
        np.repeat([0, 1], [len(first), len(second)]),
        np.concatenate([ids_first, ids_second + ids_first.max() + 1]),
        seed=seed,
    )
    n = len(first) + len(second)
    return TwoSample(value, percentile_interval(draws), n, two_sided_p_value(value, null))


def nearest_neighbour_hits(
    real: npt.ArrayLike,
    synthetic: npt.ArrayLike,
    *,
    subjects_real: npt.ArrayLike | None = None,
    subjects_synthetic: npt.ArrayLike | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return per real and per synthetic record whether its nearest neighbour is of its own arm.

    1 = of its own, 0.5 = a tie, 0 = of the other; the mean of the two means is
    `one_nearest_neighbour_accuracy`, see there.
    """
    return _hits(*as_clouds(real, synthetic, subjects_real, subjects_synthetic))


def _hits(
    first: FloatArray, second: FloatArray, ids_first: IntArray, ids_second: IntArray
) -> tuple[FloatArray, FloatArray]:
    return _nearest_is_own(first, second, ids_first), _nearest_is_own(second, first, ids_second)


def _nearest_is_own(arm: FloatArray, other: FloatArray, ids: IntArray) -> FloatArray:
    """Return 1 where the nearest other record is of the own arm, 0.5 at a tie, (n,)."""
    own = cdist(arm, arm)
    own[ids[:, None] == ids[None, :]] = np.inf
    nearest_own, nearest_other = own.min(axis=1), cdist(arm, other).min(axis=1)
    return (nearest_own < nearest_other) + 0.5 * (nearest_own == nearest_other)
