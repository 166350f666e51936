"""Intervals of statistics that resampling moves, such as distances between two samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from casemix.evaluation.statistics import percentile_interval


def centred_interval(
    value: float, draws: npt.ArrayLike, bounds: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[float, float]:
    """Return the percentile interval of bootstrap draws, moved so that their mean is the value.

    A distance between two samples holds their noise, and resampling adds it once more: every draw
    is then farther than the value, which may lie outside of its own percentile interval. The
    spread of the draws is what they tell; the value's own share of noise is the ceiling's too.

    Args:
        value: the statistic of the samples themselves.
        draws: the statistic of bootstrap samples; NaN draws do not count.
        bounds: smallest and largest possible value.

    Returns:
        (low, high) within the bounds, or (nan, nan) where less than half of the draws are defined.

    Reference:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 10 (bias).

    >>> centred_interval(1.0, [1.5, 2.0, 2.5])
    (0.525, 1.475)
    """
    values = np.asarray(draws, dtype=np.float64)
    if not np.isfinite(values).any():
        return (float("nan"), float("nan"))
    low, high = percentile_interval(values - np.nanmean(values) + value)
    return (max(low, bounds[0]), min(high, bounds[1]))
