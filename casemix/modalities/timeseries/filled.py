"""Series without gaps and back: filled values, and what was recorded as channels of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.profile import WAVEFORM_FROM
from casemix.modalities.timeseries.scaling import ChannelScale


@dataclass(frozen=True)
class FilledCoder:
    """Scaled values with gaps filled, then one channel of +-1 for each channel that has gaps.

    Args:
        scale: of the values.
        gappy: channels with gaps in training, int (g,).
        waves: whether the series are waveforms.
    """

    scale: ChannelScale
    gappy: np.ndarray
    waves: bool

    @classmethod
    def fit(cls, series: Series) -> Self:
        """Learn scales and which channels have gaps."""
        gappy = np.flatnonzero((~series.recorded).any(axis=(0, 1)))
        waves = series.values.shape[1] >= WAVEFORM_FROM
        return cls(ChannelScale.fit(series.values), gappy, waves)

    def encode(self, series: Series) -> np.ndarray:
        """Return series without gaps, float32 (n, t, c + g)."""
        scaled = held(self.scale.series(series).values)
        marks = np.where(series.recorded[:, :, self.gappy], 1.0, -1.0)
        return np.concatenate([scaled, marks], axis=2).astype(np.float32)

    def decode(self, filled: np.ndarray, means: np.ndarray) -> np.ndarray:
        """Return recorded values, float32 (n, t, c); NaN where the mark is below 0.

        Args:
            filled: what `encode` returned, or like it.
            means: scaled means that a waveform's channels should have, (n, c). Amplifiers pass
                no constant voltage, so real baselines lie closer to 0 than a network puts them.
        """
        count = filled.shape[2] - len(self.gappy)
        scaled = filled[:, :, :count]
        if self.waves:
            scaled = scaled + np.nan_to_num(means - scaled.mean(axis=1))[:, None]
        values = self.scale.decode(scaled)
        absent = filled[:, :, count:] < 0
        for k, c in enumerate(self.gappy):
            values[:, :, c][absent[:, :, k]] = np.nan
        return values

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the coder as named arrays for an artifact."""
        own = {"filled.gappy": self.gappy, "filled.waves": np.array(self.waves)}
        return self.scale.arrays() | own

    @classmethod
    def from_arrays(cls, named: Mapping[str, np.ndarray]) -> Self:
        """Rebuild what `arrays` returned."""
        scale = ChannelScale.from_arrays(named)
        return cls(scale, named["filled.gappy"], bool(named["filled.waves"]))


def held(values: np.ndarray) -> np.ndarray:
    """Return values (n, t, c) whose gaps hold the last recorded value; before the first, 0."""
    times = np.arange(values.shape[1])[None, :, None]
    when = np.maximum.accumulate(np.where(np.isnan(values), -1, times), axis=1)
    carried = np.take_along_axis(values, np.maximum(when, 0), axis=1)
    return np.where(when >= 0, carried, 0.0)
