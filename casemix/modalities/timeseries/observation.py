"""The observation process: when each channel is recorded, and how values foretell it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from casemix.core.metric import EvalData, Score
from casemix.errors import EvaluationError
from casemix.evaluation.centred_interval import centred_interval
from casemix.modalities.timeseries.arms import Arms
from casemix.modalities.timeseries.distances import kolmogorov_smirnov

PARTS = ("records", "gaps", "runs", "since_last")
_TIMES = 64  # of a series at which the time since the last record is read
_FEWEST = 30  # records of a channel below which a correlation says nothing
_DRAWS = 40


@dataclass(frozen=True)
class Lengths:
    """Lengths in steps, each with the series that it was found in.

    Args:
        values: (m,).
        series: (m,) row of the series.
    """

    values: np.ndarray
    series: np.ndarray


def lengths(recorded: np.ndarray, part: str) -> Lengths:
    """Return one aspect of how a channel is recorded.

    ``records``: the number of records of each series. ``gaps``: the missing steps between one
    record and the next. ``runs``: the records that follow one another without a gap.
    ``since_last``: the steps since the record before, at up to 64 evenly spaced times; where there
    is none yet, the length of the series (later than any).

    Args:
        recorded: one channel, bool (n, t).
        part: one of `PARTS`.

    Raises:
        EvaluationError: an unknown part.
    """
    n, times = recorded.shape
    if part == "records":
        return Lengths(recorded.sum(axis=1), np.arange(n))
    if part == "gaps":
        series, when = np.nonzero(recorded)
        gap = np.diff(when) - 1
        inside = (np.diff(series) == 0) & (gap > 0)
        return Lengths(gap[inside], series[1:][inside])
    if part == "runs":
        step = np.diff(np.pad(recorded.astype(np.int8), ((0, 0), (1, 1))), axis=1)
        series, start = np.nonzero(step == 1)
        return Lengths(np.nonzero(step == -1)[1] - start, series)
    if part == "since_last":
        when = np.maximum.accumulate(np.where(recorded, np.arange(times), -1), axis=1)
        read = np.unique(np.linspace(1, times - 1, min(times - 1, _TIMES)).astype(int))
        before = when[:, read - 1]
        since = np.where(before >= 0, read - before, times)
        return Lengths(since.reshape(-1), np.repeat(np.arange(n), len(read)))
    raise EvaluationError(
        f"Unknown aspect of the observation process '{part}'.", given=part, allowed=PARTS
    )


def observation_distances(
    real: np.ndarray, synthetic: np.ndarray, weights: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return Kolmogorov-Smirnov distances of `PARTS`, (r, 4, c), in [0, 1].

    A part that one arm alone has (gaps where the other has none) is at distance 1, one that
    neither has is NaN.

    Args:
        real: which cells were recorded, bool (n, t, c).
        synthetic: bool (m, t, c).
        weights: of real, (r, n), and of synthetic series, (r, m).

    Raises:
        EvaluationError: both arms are recorded completely, or not at all.
    """
    if (real.all() and synthetic.all()) or not (real.any() or synthetic.any()):
        raise EvaluationError(
            "There is no observation process: every cell is recorded, or none.",
            allowed="series with gaps in one arm at least",
        )
    out = np.full((len(weights[0]), len(PARTS), real.shape[2]), np.nan)
    for p, part in enumerate(PARTS):
        for c in range(real.shape[2]):
            first, second = (lengths(arm[:, :, c], part) for arm in (real, synthetic))
            if len(first.values) and len(second.values):
                each = weights[0][:, first.series], weights[1][:, second.series]
                out[:, p, c] = kolmogorov_smirnov(first.values, second.values, each)
            elif len(first.values) or len(second.values):
                out[:, p, c] = 1.0
    return out


def informativeness(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return how a value foretells the next record, (r, c, c), in [-1, 1].

    Entry (a, b) is the correlation of channel a's recorded value with channel b's being recorded
    one step later. NaN where it is undefined: fewer than 30 values, or b always or never recorded.

    Args:
        values: (n, t, c), NaN = not recorded.
        weights: of the series, (r, n).
    """
    recorded = ~np.isnan(values)
    count = np.maximum(recorded.sum(axis=(0, 1)), 1)
    filled = np.where(recorded, values, 0.0).astype(np.float64)
    filled = np.where(recorded, filled - filled.sum(axis=(0, 1)) / count, 0.0)
    now, here, later = filled[:, :-1], recorded[:, :-1], recorded[:, 1:].astype(np.float64)
    seen = here.astype(np.float64)
    number = weights @ seen.sum(axis=1)  # (r, c)
    total, squares = weights @ now.sum(axis=1), weights @ (now**2).sum(axis=1)
    followed = _over_series(weights, np.matmul(seen.transpose(0, 2, 1), later))  # (r, c, c)
    products = _over_series(weights, np.matmul(now.transpose(0, 2, 1), later))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, share = (total / number)[:, :, None], followed / number[:, :, None]
        spread = np.sqrt(np.maximum(squares / number - (total / number) ** 2, 0.0))[:, :, None]
        covariance = products / number[:, :, None] - mean * share
        found = covariance / (spread * np.sqrt(share * (1 - share)))
    return np.where((number >= _FEWEST)[:, :, None] & np.isfinite(found), found, np.nan)


def observation_distance(data: EvalData, seed: int) -> Score:
    """Score `observation_distances`, mean over parts and channels."""
    arms = Arms.of(data, seed=seed)
    weights = arms.weights(seed=seed, repeats=_DRAWS)
    found = observation_distances(
        arms.real.series.recorded, arms.synthetic.series.recorded, weights
    )
    defined = ~np.isnan(found[0])
    overall = found[:, defined].mean(axis=1)
    parts = {p: _mean(found[0][k]) for k, p in enumerate(PARTS)}
    channels = {name: _mean(found[0][:, c]) for c, name in enumerate(arms.names)}
    note = "at most 500 subjects per arm"
    details = {"parts": parts, "channels": channels}
    return Score(
        float(overall[0]),
        centred_interval(overall[0], overall[1:], (0.0, 1.0)),
        arms.n,
        note=note,
        details=details,
    )


def informative_observation_difference(data: EvalData, seed: int) -> Score:
    """Score the mean absolute difference of `informativeness` over pairs of channels."""
    arms = Arms.of(data, seed=seed)
    weights = arms.weights(seed=seed, repeats=_DRAWS)
    real = informativeness(arms.real.values, weights[0])
    made = informativeness(arms.synthetic.values, weights[1])
    defined = ~np.isnan(real[0])
    if not defined.any():
        raise EvaluationError(
            "No channel's records can be foretold: all are always or never recorded.",
            allowed="real series with gaps",
        )
    # What synthetic series lack altogether (a channel without gaps) foretells nothing.
    overall = np.abs(real - np.nan_to_num(made))[:, defined].mean(axis=1)
    details = {
        "real": float(np.abs(real[0][defined]).mean()),
        "synthetic": float(np.abs(np.nan_to_num(made[0])[defined]).mean()),
    }
    note = "at most 500 subjects per arm; in the details, the mean absolute correlations"
    return Score(
        float(overall[0]),
        centred_interval(overall[0], overall[1:], (0.0, 2.0)),
        arms.n,
        note=note,
        details=details,
    )


def _over_series(weights: np.ndarray, sums: np.ndarray) -> np.ndarray:
    return (weights @ sums.reshape(len(sums), -1)).reshape(-1, *sums.shape[1:])


def _mean(numbers: np.ndarray) -> float | None:
    known = numbers[~np.isnan(numbers)]
    return float(known.mean()) if len(known) else None
