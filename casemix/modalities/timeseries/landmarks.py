"""Landmarks of repeating waveforms: the steepest place of every cycle, such as an R wave."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d, uniform_filter1d
from scipy.signal import find_peaks

#: Shortest cycle that is looked for, in rows.
SHORTEST = 8
_LEAST_CYCLES = 3  # of a series, for its period to count
_CLEAR = 0.3  # autocorrelation of the steepness at one period
_APART = 0.45  # least distance of landmarks, in periods
_HIGH, _STANDING_OUT = 0.4, 0.3  # of a landmark's steepness, relative to the steepest percent
_WINDOW, _REACH = 0.1, 0.035  # what is aligned and how far it may move, in periods
_ALIGNMENTS = 3


def find_landmarks(waves: np.ndarray) -> list[np.ndarray]:
    """Return the places of the landmarks of each series, float rows ascending.

    The steepness, summed over channels, repeats with every cycle whatever its sign or shape; its
    autocorrelation gives the period, its peaks the landmarks (Pan and Tompkins). These are then
    aligned among each other to fractions of a row. A series without a clear period has none.

    Args:
        waves: (n, t, c) without gaps, channels of similar size.

    Reference:
        Pan and Tompkins, A real-time QRS detection algorithm, IEEE Trans. Biomed. Eng. 1985.
    """
    slopes = steepness(waves)
    found = [dominant_period(row) for row in slopes]
    clear = np.array([period for period, strength in found if strength >= _CLEAR])
    if not len(clear):
        return [np.zeros(0) for _ in found]
    # A rhythm of two or three cycles looks like one long cycle: no period far from the others'.
    usual = np.quantile(clear, (0.1, 0.9))
    out = []
    for wave, slope, (period, strength) in zip(waves, slopes, found, strict=True):
        held = float(np.clip(period, *usual))
        peaks = _peaks(slope, held) if strength >= _CLEAR else np.zeros(0)
        enough = len(peaks) > _LEAST_CYCLES
        out.append(_aligned(wave, peaks, held) if enough else np.zeros(0))
    return out


def steepness(waves: np.ndarray) -> np.ndarray:
    """Return the size of the slope over all channels, (n, t)."""
    slope = np.sqrt((np.gradient(waves, axis=1) ** 2).sum(axis=2))
    return uniform_filter1d(slope, 3, axis=1, mode="nearest")


def dominant_period(steep: np.ndarray) -> tuple[int, float]:
    """Return the period of one series in rows and the autocorrelation there; (0, 0) if none.

    Args:
        steep: steepness (t,).
    """
    t = len(steep)
    smooth = gaussian_filter1d(steep, 2.0)
    power = np.abs(np.fft.rfft(smooth - smooth.mean(), 2 * t)) ** 2
    memory = np.fft.irfft(power)[:t]
    memory = memory / max(memory[0], 1e-12) * t / (t - np.arange(t))
    longest = t // _LEAST_CYCLES
    below = np.flatnonzero(memory[:longest] < 0)
    first = max(SHORTEST, int(below[0]) if len(below) else SHORTEST)
    peaks = find_peaks(memory[first : longest + 1])[0] + first
    if not len(peaks):
        return 0, 0.0
    best = peaks[memory[peaks] >= 0.8 * memory[peaks].max()][0]  # multiples of it are as high
    return int(best), float(memory[best])


def _peaks(steep: np.ndarray, period: float) -> np.ndarray:
    smooth = gaussian_filter1d(steep, 1.0)
    top = float(np.quantile(smooth, 0.99))
    apart = max(1, int(_APART * period))
    limits = {"height": _HIGH * top, "prominence": _STANDING_OUT * top}
    return find_peaks(np.pad(smooth, 1), distance=apart, **limits)[0] - 1.0


def _aligned(wave: np.ndarray, places: np.ndarray, period: float) -> np.ndarray:
    """Return places (k,) moved so that the wave (t, c) around them agrees best."""
    size, reach = max(3, round(_WINDOW * period)), max(2, round(_REACH * period))
    curve = CubicSpline(np.arange(len(wave)), wave, axis=0)
    window = np.arange(-size, size + 1.0)
    for attempt in range(_ALIGNMENTS):
        width = 1.0 if attempt == 0 else 0.5
        shifts = width * np.arange(-reach, reach + 1)
        rows = places[:, None, None] + shifts[:, None] + window
        pieces = curve(np.clip(rows, 0, len(wave) - 1))  # (k, shifts, window, c)
        pieces = pieces - pieces.mean(axis=2, keepdims=True)
        usual = np.median(pieces[:, reach], axis=0)
        places = places + width * _lowest(((pieces - usual) ** 2).sum(axis=(2, 3)), reach)
    return places


def _lowest(error: np.ndarray, centre: int) -> np.ndarray:
    """Return where each row of errors (k, shifts) is lowest, by a parabola, from the centre."""
    row = np.arange(len(error))
    best = error[:, 1:-1].argmin(axis=1) + 1
    left, middle, right = (error[row, best + side] for side in (-1, 0, 1))
    bend = np.maximum(left - 2 * middle + right, 1e-12)
    return best - centre + np.clip(0.5 * (left - right) / bend, -0.5, 0.5)
