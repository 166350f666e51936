"""The predictive score: a forecaster trained on synthetic series, tested on real ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from casemix.core.metric import EvalData, Score, View
from casemix.errors import EvaluationError
from casemix.evaluation.statistics import bootstrap_weights, percentile_interval
from casemix.modalities.timeseries.arms import Arms, arm
from casemix.modalities.timeseries.filled import held

_SEED = 0
_LAGS = 8  # steps that the forecaster sees
_ORIGINS = 64  # times of a series from which it forecasts
_RIDGE = 1e-3  # of the number of forecasts
_DRAWS = 200


@dataclass(frozen=True)
class Units:
    """Mean and standard deviation of each channel's real training records, both (c,)."""

    location: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, view: View) -> Units:
        """Read the units off real training records; 0 and 1 for a channel never recorded."""
        values = arm(view, seed=_SEED).values.astype(np.float64)
        recorded = ~np.isnan(values)
        count = np.maximum(recorded.sum(axis=(0, 1)), 1)
        location = np.where(recorded, values, 0.0).sum(axis=(0, 1)) / count
        squares = np.where(recorded, (values - location) ** 2, 0.0).sum(axis=(0, 1))
        spread = np.sqrt(squares / count)
        return cls(location, np.where(spread > 1e-9 * (1 + np.abs(location)), spread, 1.0))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return values (n, t, c) in standard deviations from the mean."""
        return (values - self.location) / self.scale


def histories(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what a one-step forecaster sees and what comes next.

    Args:
        values: in standard units, (n, t, c), NaN = not recorded.

    Returns:
        inputs: (n, o, k) at up to 64 evenly spaced times o: 1, then the last 8 steps of every
            channel, gaps held at the last record, and whether they were recorded.
        targets: (n, o, c) one step later, NaN = not recorded.
    """
    n, times, _ = values.shape
    now = np.unique(np.linspace(0, times - 2, min(times - 1, _ORIGINS)).astype(int))
    both = np.concatenate([held(values), ~np.isnan(values)], axis=2)
    padded = np.pad(both, ((0, 0), (_LAGS - 1, 0), (0, 0)))
    past = [padded[:, now + lag] for lag in range(_LAGS)]
    inputs = np.concatenate([np.ones((n, len(now), 1)), *past], axis=2)
    return inputs, values[:, now + 1]


def forecaster(values: np.ndarray) -> np.ndarray:
    """Fit ridge regressions of each channel's next record on `histories`; weights (k, c).

    NaN for a channel without a target. Arguments as for `histories`.
    """
    inputs, targets = (a.reshape(-1, a.shape[2]) for a in histories(values))
    weights = np.full((inputs.shape[1], targets.shape[1]), np.nan)
    for c in range(targets.shape[1]):
        known = ~np.isnan(targets[:, c])
        if known.any():
            x, y = inputs[known], targets[known, c]
            penalty = _RIDGE * len(x) * np.eye(x.shape[1])
            penalty[0, 0] = 1e-9 * len(x)  # the mean is free
            weights[:, c] = np.linalg.solve(x.T @ x + penalty, x.T @ y)
    return weights


def forecast_errors(weights: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sums of absolute errors of forecasts, and their numbers, both (n, c).

    Args:
        weights: of `forecaster`.
        values: the series to forecast, as for `histories`.
    """
    inputs, targets = histories(values)
    errors = np.abs(inputs @ weights - targets)
    known = ~np.isnan(errors)
    return np.where(known, errors, 0.0).sum(axis=1), known.sum(axis=1)


def predictive_score(data: EvalData, seed: int) -> Score:
    """Score the mean absolute error on real held-out series of a forecaster of synthetic ones."""
    arms = Arms.of(data, seed=seed)
    if arms.real.values.shape[1] < 2:
        raise EvaluationError(
            "Nothing can be forecast: the series hold a single time.", allowed="at least 2 times"
        )
    units = data.once("timeseries.units", Units.fit)
    real = units(arms.real.values)
    weights = forecaster(units(arms.synthetic.values))
    # A channel that synthetic series never hold is forecast at its mean.
    sums, counts = forecast_errors(np.nan_to_num(weights), real)
    defined = counts.sum(axis=0) > 0
    if not defined.any():
        raise EvaluationError("The real series hold no record to forecast.")
    drawn = bootstrap_weights(arms.real.count, seed=seed, repeats=_DRAWS)[:, arms.real.subjects]
    draws = (drawn @ sums[:, defined]) / np.maximum(drawn @ counts[:, defined], 1)
    per_channel = sums.sum(axis=0)[defined] / counts.sum(axis=0)[defined]
    names = [name for name, known in zip(arms.names, defined, strict=True) if known]
    details = {
        "channels": dict(zip(names, per_channel.tolist(), strict=True)),
        "last_value_carried_forward": _error(_persistence(weights.shape), real),
        "constant": _error(np.zeros_like(weights), real),
    }
    note = (
        f"ridge regression on {_LAGS} steps; in standard deviations of the real channels; at most "
        f"500 subjects per arm and {_ORIGINS} forecasts per series; interval over test subjects"
    )
    value = float(per_channel.mean())
    interval = percentile_interval(draws.mean(axis=1))
    return Score(value, interval, arms.n, note=note, details=details)


def _persistence(shape: tuple[int, ...]) -> np.ndarray:
    """Return weights that forecast every channel at its last record."""
    weights = np.zeros(shape)
    channels = shape[1]
    newest = 1 + 2 * channels * (_LAGS - 1)
    weights[newest : newest + channels] = np.eye(channels)
    return weights


def _error(weights: np.ndarray, values: np.ndarray) -> float:
    sums, counts = forecast_errors(weights, values)
    known = counts.sum(axis=0) > 0
    return float((sums.sum(axis=0)[known] / counts.sum(axis=0)[known]).mean())
