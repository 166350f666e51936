"""Power spectra of series with gaps, and how far two sets of them lie apart."""

from __future__ import annotations

import numpy as np

from casemix.core.metric import EvalData, Score
from casemix.errors import EvaluationError
from casemix.evaluation.centred_interval import centred_interval
from casemix.modalities.timeseries.arms import Arms
from casemix.modalities.timeseries.distances import wasserstein

_FEWEST = 8  # records of a channel
_SILENT = 1e-6  # of the real channel's mean power: weaker is not told apart (-60 dB)
_DRAWS = 40


def lomb_scargle(values: np.ndarray) -> np.ndarray:
    """Return the Lomb-Scargle power of each series, (n, f), in the squared unit of the values.

    Frequencies are k / t per step, k = 1, 2, ... below t / 2. Each series is centred on the mean
    of its records; without gaps this is the periodogram ``|FFT|^2 / t``. Noise of equal variance
    has equal power whatever the number of records.

    Args:
        values: one channel, (n, t), NaN = not recorded.

    Returns:
        NaN for a series with fewer than 8 records, and at frequencies that its gaps hide.

    Reference:
        Lomb, Astrophys Space Sci 1976; Scargle, Astrophys J 1982.
    """
    times = values.shape[1]
    recorded = (~np.isnan(values)).astype(np.float64)
    count = recorded.sum(axis=1, keepdims=True)
    filled = np.nan_to_num(values.astype(np.float64))
    centred = (filled - filled.sum(axis=1, keepdims=True) / np.maximum(count, 1)) * recorded
    steps = np.arange(1, (times - 1) // 2 + 1)
    angle = 2 * np.pi * (np.arange(times)[:, None] * steps % times) / times  # (t, f)
    cosine, sine = np.cos(angle), np.sin(angle)
    c, s = centred @ cosine, centred @ sine  # (n, f)
    double, cross = recorded @ np.cos(2 * angle), recorded @ (cosine * sine)
    cc, ss = (count + double) / 2, (count - double) / 2
    determinant = cc * ss - cross**2
    clear = (determinant > 1e-3 * count**2) & (count >= _FEWEST)
    power = (c**2 * ss - 2 * c * s * cross + s**2 * cc) / np.where(clear, determinant, 1.0) / 2
    return np.where(clear, power, np.nan)


def octave_power(values: np.ndarray) -> np.ndarray:
    """Return each channel's mean power per octave, (n, c, b), bands as `octaves`; NaN = unknown.

    Args:
        values: (n, t, c), NaN = not recorded.
    """
    edges = octaves(values.shape[1])
    out = np.empty((len(values), values.shape[2], len(edges)))
    for channel in range(values.shape[2]):
        power = lomb_scargle(values[:, :, channel])
        for b, (low, high) in enumerate(edges):
            band = power[:, low - 1 : high - 1]
            known = ~np.isnan(band)
            total = np.where(known, band, 0.0).sum(axis=1)
            enough = 2 * known.sum(axis=1) >= high - low
            out[:, channel, b] = np.where(enough, total / np.maximum(known.sum(axis=1), 1), np.nan)
    return out


def octaves(times: int) -> list[tuple[int, int]]:
    """Return octave bands as (first, end) cycles per series, the last one cut at half of ``times``.

    >>> octaves(24)
    [(1, 2), (2, 4), (4, 8), (8, 12)]
    """
    end = (times - 1) // 2 + 1
    lows = [2**k for k in range(max(end - 1, 0).bit_length())]
    return [(low, min(2 * low, end)) for low in lows]


def spectral_distance(
    real: np.ndarray, synthetic: np.ndarray, weights: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return the distance of log powers in each channel and octave, (r, c, b), in dB.

    It is the 1-Wasserstein distance over series of 10 log10 power; power below -60 dB of the
    real channel's mean counts as that. NaN where one arm has no spectrum.

    Args:
        real: (n, t, c), NaN = not recorded.
        synthetic: (m, t, c).
        weights: of real, (r, n), and of synthetic series, (r, m).

    Raises:
        EvaluationError: series too short for a spectrum, or no channel with 8 records.
    """
    if real.shape[1] < _FEWEST:
        raise EvaluationError(
            "The series are too short for a spectrum.",
            given=f"{real.shape[1]} times",
            allowed=f"at least {_FEWEST}",
        )
    powers = octave_power(real), octave_power(synthetic)  # (n, c, b)
    out = np.full((len(weights[0]), *powers[0].shape[1:]), np.nan)
    for c in range(out.shape[1]):
        known = powers[0][:, c][~np.isnan(powers[0][:, c])]
        least = _SILENT * known.mean() if len(known) else 0.0
        if least <= 0:
            continue
        for b in range(out.shape[2]):
            first, second = (10 * np.log10(np.maximum(p[:, c, b], least)) for p in powers)
            if not (np.isnan(first).all() or np.isnan(second).all()):
                out[:, c, b] = wasserstein(first, second, weights)
    if np.isnan(out[0]).all():
        raise EvaluationError(
            "No channel has a spectrum in both arms.",
            allowed=f"channels that vary, with at least {_FEWEST} records in a series",
        )
    return out


def power_spectrum_distance(data: EvalData, seed: int) -> Score:
    """Score `spectral_distance`, mean over channels and octaves."""
    arms = Arms.of(data, seed=seed)
    weights = arms.weights(seed=seed, repeats=_DRAWS)
    found = spectral_distance(arms.real.values, arms.synthetic.values, weights)
    defined = ~np.isnan(found[0])
    overall = found[:, defined].mean(axis=1)
    octave = [found[0][:, b][defined[:, b]] for b in range(found.shape[2])]
    channel = [found[0][c][defined[c]] for c in range(found.shape[1])]
    seconds = arms.real.series.step_seconds * arms.real.values.shape[1]
    details = {
        "unit": "dB",
        "octaves_from_hz": [low / seconds for low, _ in octaves(arms.real.values.shape[1])],
        "octaves": [float(d.mean()) if len(d) else None for d in octave],
        "channels": {
            name: float(d.mean()) if len(d) else None
            for name, d in zip(arms.names, channel, strict=True)
        },
    }
    note = "dB, Lomb-Scargle on recorded values only; at most 500 subjects per arm"
    return Score(
        float(overall[0]),
        centred_interval(overall[0], overall[1:], (0.0, np.inf)),
        arms.n,
        note=note,
        details=details,
    )
