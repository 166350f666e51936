"""Dependence in series: memory of the past, ties between channels, pattern of gaps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from casemix.core import seeding
from casemix.core.metric import EvalData, Score
from casemix.core.samples import Samples

_LAGS = (1, 2, 4, 8, 16)  # times
_FEWEST = 30  # pairs of cells below which a correlation says nothing
_DRAWS = 100  # of the bootstrap

Statistic = Callable[[np.ndarray], np.ndarray]


def autocorrelation(values: np.ndarray) -> np.ndarray:
    """Return each channel's autocorrelation at lags 1, 2, 4, 8, 16, (lags, c).

    Args:
        values: (n, t, c), NaN = not recorded. Levels of channels are taken over all series, so
            that a series' own level counts as memory. Lags beyond the series are left out.
    """
    centred = values - _mean(values, axis=(0, 1))
    lags = [lag for lag in _LAGS if lag < values.shape[1]]
    rows = [_correlation(centred[:, :-lag], centred[:, lag:]) for lag in lags]
    return np.stack(rows) if rows else np.zeros((0, values.shape[2]))


def cross_correlation(values: np.ndarray) -> np.ndarray:
    """Return the correlation of each pair of channels at one time, (pairs,)."""
    c = values.shape[2]
    first, second = np.triu_indices(c, k=1)
    centred = values - _mean(values, axis=(0, 1))
    return _correlation(centred[..., first], centred[..., second])


def gaps(values: np.ndarray) -> np.ndarray:
    """Return how cells are recorded: share, memory and company, (c + c + pairs,).

    Per channel the share of recorded cells and the correlation of being recorded with the time
    before; per pair of channels the correlation of being recorded at one time. A correlation is
    NaN where a channel is always or never recorded.
    """
    seen = (~np.isnan(values)).astype(np.float64)
    rate = seen.mean(axis=(0, 1))
    centred = seen - rate
    first, second = np.triu_indices(values.shape[2], k=1)
    memory = _correlation(centred[:, :-1], centred[:, 1:])
    company = _correlation(centred[..., first], centred[..., second])
    return np.concatenate([rate, memory, company])


def difference(statistic: Statistic) -> Callable[[EvalData, int], Score]:
    """Return the metric that compares a statistic: its mean absolute difference, real to made."""

    def compute(data: EvalData, seed: int) -> Score:
        real, made = data.holdout.samples, data.synthetic.samples
        target = statistic(real.payload.values)
        found = statistic(made.payload.values)
        value = _distance(found, target)
        if value is None:
            return Score(None, n=_subjects(made), note="too few recorded cells")
        draws = [
            _distance(statistic(_resampled(made, seed, k)), target)
            for k in range(_bootstraps(made))
        ]
        low, high = np.quantile([d for d in draws if d is not None], (0.025, 0.975))
        return Score(value, (float(low), float(high)), n=_subjects(made))

    return compute


def _mean(values: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    seen = ~np.isnan(values)
    total = np.where(seen, values, 0.0).sum(axis=axis, dtype=np.float64)
    return total / np.maximum(seen.sum(axis=axis), 1)


def _correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the correlation over the first two axes where both are recorded; NaN if too few."""
    both = ~(np.isnan(x) | np.isnan(y))
    x, y = (np.where(both, v, 0.0).astype(np.float64) for v in (x, y))
    count = both.sum(axis=(0, 1))
    size = np.sqrt((x**2).sum(axis=(0, 1)) * (y**2).sum(axis=(0, 1)))
    enough = (count >= _FEWEST) & (size > 0)
    return np.where(enough, (x * y).sum(axis=(0, 1)) / np.where(enough, size, 1.0), np.nan)


def _distance(found: np.ndarray, target: np.ndarray) -> float | None:
    difference = np.abs(found - target)
    known = difference[~np.isnan(difference)]
    return float(known.mean()) if len(known) else None


def _subjects(samples: Samples) -> int:
    return len(set(samples.subject_ids))


def _bootstraps(samples: Samples) -> int:
    # Long series cost more per draw; their statistics also vary less.
    return max(20, min(_DRAWS, int(2e7 / max(samples.payload.values.size, 1))))


def _resampled(samples: Samples, seed: int, draw: int) -> np.ndarray:
    """Return the series of subjects drawn with replacement."""
    subjects, which = np.unique(samples.subject_ids, return_inverse=True)
    rng = seeding.generator(seed, "timeseries", "bootstrap", draw)
    weight = np.bincount(rng.integers(len(subjects), size=len(subjects)), minlength=len(subjects))
    return samples.payload.values[np.repeat(np.arange(len(which)), weight[which])]
