"""Channel values to and from standard units, with the values that can be recorded kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from casemix.core.fields import Field, Kind
from casemix.modalities.timeseries.data import Series

#: A channel with at most this many distinct values is made of exactly these.
_MOST_LEVELS = 400
#: Cells of other channels beyond these two quantiles are artefacts more often than not.
_RARE = 1e-4
#: A positive channel more skewed than this is scaled by its logarithm.
_SKEWED = 3.0


@dataclass(frozen=True)
class Channel:
    """The map of one channel.

    Each recordable value owns the interval of scaled numbers that lie nearer to it than to its
    neighbours. Ranks are not used: they would flatten R waves and fever alike.

    Args:
        location: mean of the recorded cells, after the logarithm where there is one.
        scale: their standard deviation.
        logged: whether values are scaled by their logarithm.
        levels: all values there are, ascending; empty for a channel of many values.
        bounds: lowest and highest value that is made; NaN for a channel never recorded.
        step: distance between two recordable values; 0 = none found.
    """

    location: float
    scale: float
    logged: bool
    levels: np.ndarray
    bounds: tuple[float, float]
    step: float

    @classmethod
    def fit(cls, cells: np.ndarray) -> Self:
        """Learn the map from recorded numbers (m,)."""
        if len(cells) == 0:
            return cls(0.0, 1.0, False, np.zeros(0), (np.nan, np.nan), 0.0)
        cells = cells.astype(np.float64)
        step, levels = resolution(cells), np.unique(cells)
        few = len(levels) <= _MOST_LEVELS and (len(levels) == 1 or len(cells) >= 2 * len(levels))
        low, high = np.quantile(cells, (0, 1) if few else (_RARE, 1 - _RARE), method="nearest")
        kept = np.clip(cells, low, high)
        logged = bool(low > 0 and _skewness(kept) > max(_SKEWED, abs(_skewness(np.log(kept)))))
        kept = np.log(kept) if logged else kept
        spread = float(kept.std())
        scale = spread if spread > 1e-9 * max(abs(low), abs(high), 1e-12) else 1.0
        own = levels if few else np.zeros(0)
        return cls(float(kept.mean()), scale, logged, own, (float(low), float(high)), step)

    def edges(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the scaled (lower, upper) ends of the intervals of recorded values."""
        if len(self.levels) > 1:
            between = (self.levels[1:] + self.levels[:-1]) / 2
            first, last = 2 * self.levels[0] - between[0], 2 * self.levels[-1] - between[-1]
            ends = np.concatenate([[first], between, [last]])
            place = np.searchsorted(between, values)
            return self._scaled(ends[place]), self._scaled(ends[place + 1])
        held = np.clip(values, *self.bounds)
        return self._scaled(held - self.step / 2), self._scaled(held + self.step / 2)

    def values(self, scaled: np.ndarray) -> np.ndarray:
        """Return the recordable value of each scaled number; NaN if never recorded."""
        free = scaled.astype(np.float64) * self.scale + self.location
        if self.logged:
            # Beyond the bounds anyway: e^x must not overflow on its way there.
            free = np.exp(np.minimum(free, np.log(self.bounds[1]) + 1.0))
        if len(self.levels):
            return self.levels[np.searchsorted((self.levels[1:] + self.levels[:-1]) / 2, free)]
        free = np.clip(free, *self.bounds)
        if self.step == 0:
            return free
        return self.bounds[0] + np.rint((free - self.bounds[0]) / self.step) * self.step

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        if self.logged:
            values = np.log(np.maximum(values, self.bounds[0] / 2))
        return (values - self.location) / self.scale


@dataclass(frozen=True)
class ChannelScale:
    """The maps of all channels."""

    channels: tuple[Channel, ...]

    @classmethod
    def fit(cls, values: np.ndarray) -> Self:
        """Learn the maps from recorded cells of float32 (n, t, c)."""
        columns = (values[:, :, c].reshape(-1) for c in range(values.shape[2]))
        return cls(tuple(Channel.fit(column[~np.isnan(column)]) for column in columns))

    def encode(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the (lower, upper) ends of each cell's interval, float32 (n, t, c).

        Both are 0 where nothing was recorded. A number drawn evenly between them removes the
        steps in which values are recorded.
        """
        lower, upper = (np.zeros(values.shape, dtype=np.float32) for _ in range(2))
        for c, channel in enumerate(self.channels):
            recorded = ~np.isnan(values[:, :, c])
            low, high = channel.edges(values[:, :, c][recorded].astype(np.float64))
            lower[:, :, c][recorded], upper[:, :, c][recorded] = low, high
        return lower, upper

    def decode(self, scaled: np.ndarray) -> np.ndarray:
        """Return recordable values, float32 of the same shape (..., c).

        NaN stays NaN; a channel that was never recorded comes out as NaN.
        """
        out = np.full(scaled.shape, np.nan, dtype=np.float32)
        for c, channel in enumerate(self.channels):
            known = ~np.isnan(scaled[..., c])
            out[..., c][known] = channel.values(scaled[..., c][known])
        return out

    def middle(self, c: int, scaled: np.ndarray) -> np.ndarray:
        """Return the middle of the interval in which each scaled number of channel c lies."""
        low, high = self.channels[c].edges(self.channels[c].values(scaled))
        return np.nan_to_num(0.5 * (low + high)).astype(np.float32)

    def series(self, series: Series) -> Series:
        """Return series whose values are the middles of the intervals."""
        lower, upper = self.encode(series.values)
        middle = np.where(series.recorded, 0.5 * (lower + upper), np.nan)
        plain = tuple(Field(f.name, Kind.NUMERIC) for f in series.channels)
        return Series(middle, series.step_seconds, plain)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the maps as named arrays for an artifact."""
        numbers = [(m.location, m.scale, m.logged, *m.bounds, m.step) for m in self.channels]
        levels = {f"scale.levels.{c}": m.levels for c, m in enumerate(self.channels)}
        return {"scale.numbers": np.array(numbers, dtype=np.float64)} | levels

    @classmethod
    def from_arrays(cls, named: Mapping[str, np.ndarray]) -> Self:
        """Rebuild what `arrays` returned."""
        channels = []
        for c, (location, scale, logged, low, high, step) in enumerate(named["scale.numbers"]):
            levels = named[f"scale.levels.{c}"]
            own = (float(location), float(scale), bool(logged), levels)
            channels.append(Channel(*own, (float(low), float(high)), float(step)))
        return cls(tuple(channels))


def resolution(values: np.ndarray) -> float:
    """Return the distance between two recordable values of one channel, or 0.

    Args:
        values: recorded numbers, any shape; NaN = not recorded.

    >>> resolution(np.array([36.5, 36.6, 37.2, 40.0]))
    0.1
    """
    distinct = np.unique(values[~np.isnan(values)].astype(np.float64))
    if len(distinct) < 3:
        return 0.0
    gaps = np.diff(distinct)
    noise = 4 * np.finfo(np.float32).eps * np.abs(distinct).max()
    smallest = gaps[gaps > noise].min(initial=np.inf)
    # Finer than a ten-thousandth of the spread is not a grid that anybody would see.
    if not np.isfinite(smallest) or smallest < 1e-4 * np.nanstd(values, dtype=np.float64):
        return 0.0
    # Single precision shifts every value a little: average first, then count gap by gap.
    single = gaps[(gaps > noise) & (gaps < 1.5 * smallest)].mean()
    count = np.concatenate([[0.0], np.cumsum(np.rint(gaps / single))])
    step = float(np.dot(count, distinct - distinct[0]) / np.dot(count, count))
    on = np.abs(distinct - distinct[0] - np.rint((distinct - distinct[0]) / step) * step)
    return float(f"{step:.6g}") if (on <= max(0.02 * step, noise)).all() else 0.0


def _skewness(values: np.ndarray) -> float:
    centred = values - values.mean()
    return float((centred**3).mean() / max((centred**2).mean(), 1e-24) ** 1.5)
