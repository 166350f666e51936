"""Profiles: what one series is like as a whole, as a short vector of normal scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from casemix.modalities.timeseries import findings
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.normal_scores import NormalScores

#: From this many times on a series is a waveform: its rhythm and shape say more than its trend.
WAVEFORM_FROM = 128
_BANDS = 12


@dataclass(frozen=True)
class Profiler:
    """Turns series into profiles: level, spread, trend and gaps per channel; rhythm of waveforms.

    Args:
        quantiles: of each summary over the training series, (knots, k).
        kept: which of all summaries vary, int (k,).
        channels: c; the first c summaries are the channels' means, the next
            c the logarithms of their standard deviations.
    """

    quantiles: np.ndarray
    kept: np.ndarray
    channels: int

    @classmethod
    def fit(cls, series: Series) -> Self:
        """Learn the scale of each summary from training series."""
        raw = summaries(series)
        known = [raw[:, j][~np.isnan(raw[:, j])] for j in range(raw.shape[1])]
        kept = np.array([j for j, v in enumerate(known) if len(v) > 2 and np.ptp(v) > 1e-9], int)
        return cls(NormalScores.fit(raw[:, kept]).quantiles, kept, series.values.shape[2])

    @property
    def width(self) -> int:
        """The number of summaries in a profile."""
        return len(self.kept)

    def scores(self, series: Series) -> np.ndarray:
        """Return profiles, float64 (n, k), each column about standard normal; absent = 0."""
        return NormalScores(self.quantiles).scores(summaries(series)[:, self.kept])

    def levels(self, profiles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the (mean, standard deviation) over time that profiles (n, k) stand for, (n, c).

        NaN where a channel's mean, or spread, is the same in all training series or unknown.
        """
        out = np.full((2 * self.channels, len(profiles)), np.nan)
        shown = self.kept < 2 * self.channels
        known = NormalScores(self.quantiles[:, shown])
        out[self.kept[shown]] = known.numbers(profiles[:, shown]).T
        return out[: self.channels].T, np.exp(out[self.channels :].T)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the scales as named arrays for an artifact."""
        return {
            "profile.quantiles": self.quantiles,
            "profile.kept": self.kept,
            "profile.channels": np.array(self.channels),
        }

    @classmethod
    def from_arrays(cls, named: Mapping[str, np.ndarray]) -> Self:
        """Rebuild what `arrays` returned."""
        return cls(
            named["profile.quantiles"], named["profile.kept"], int(named["profile.channels"])
        )


def summaries(series: Series) -> np.ndarray:
    """Return the raw summaries of each series, (n, k); NaN where one cannot be made."""
    parts = [
        findings.mean(series),
        np.log(findings.spread(series) + 1e-6),
        findings.slope(series),
        findings.recorded_share(series),
    ]
    if series.values.shape[1] >= WAVEFORM_FROM:
        parts.append(spectrum(series))
    return np.concatenate(parts, axis=1)


def spectrum(series: Series) -> np.ndarray:
    """Return the log share of power in octave-like frequency bands, mean over channels, (n, b)."""
    centred = series.values - findings.mean(series)[:, None, :]
    power = np.abs(np.fft.rfft(np.nan_to_num(centred), axis=1)[:, 1:]) ** 2  # (n, f, c)
    edges = np.unique(np.geomspace(1, power.shape[1] + 1, _BANDS + 1).astype(int)) - 1
    shares = power / np.maximum(power.sum(axis=1, keepdims=True), 1e-12)
    bands = np.add.reduceat(shares.mean(axis=2), edges[:-1], axis=1)
    return np.log(bands + 1e-6)
