"""Channel values to and from a scale that networks like, with the recorded resolution kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtr, ndtri

from casemix.core.fields import Field, Kind
from casemix.modalities.timeseries.data import Series

#: A channel with at most this many distinct values is made of exactly these.
_MOST_LEVELS = 400
#: Knots of the quantile function of a channel with more.
_KNOTS = 401
#: Shares are kept this far from 0 and 1, so that the outermost scores are finite (about 3.9).
_EDGE = 5e-5


@dataclass(frozen=True)
class NormalScores:
    """Monotone maps from each channel's values to standard normal scores.

    A channel of few distinct values (whole beats per minute, tenths of a degree) is a staircase:
    each value owns the interval of scores that its frequency fills, so decoding returns recorded
    values only, in their recorded frequency. Any other channel is piecewise linear between
    quantiles, and decoding rounds to its grid where it has one.

    Args:
        values: per channel, the distinct values or the quantile knots, ascending; empty for a
            channel that was never recorded.
        shares: per channel, the share of recorded cells at or below each of ``values``.
        stairs: per channel, whether ``values`` are all values there are.
        steps: per channel, the distance between two recordable values; 0 = none found.
    """

    values: tuple[np.ndarray, ...]
    shares: tuple[np.ndarray, ...]
    stairs: tuple[bool, ...]
    steps: tuple[float, ...]

    @classmethod
    def fit(cls, values: np.ndarray) -> Self:
        """Learn the maps from recorded cells of float32 (n, t, c)."""
        maps = [_fit_channel(values[:, :, c]) for c in range(values.shape[2])]
        found, shares, stairs, steps = zip(*maps, strict=True)
        return cls(tuple(found), tuple(shares), tuple(stairs), tuple(steps))

    def encode(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the (lower, upper) ends of each cell's interval of scores, float32 (n, t, c).

        Both are 0 where nothing was recorded. A score drawn evenly between them removes the ties.
        """
        lower, upper = (np.zeros(values.shape, dtype=np.float32) for _ in range(2))
        for c in range(values.shape[2]):
            recorded = ~np.isnan(values[:, :, c])
            cells = values[:, :, c][recorded].astype(np.float64)
            if len(cells) and len(self.values[c]):
                low, high = self._interval(c, cells)
                lower[:, :, c][recorded] = ndtri(low)
                upper[:, :, c][recorded] = ndtri(high)
        return lower, upper

    def series(self, series: Series) -> Series:
        """Return the same series with the middle of each cell's interval as its value."""
        lower, upper = self.encode(series.values)
        middle = np.where(series.recorded, 0.5 * (lower + upper), np.nan)
        plain = tuple(Field(f.name, Kind.NUMERIC) for f in series.channels)
        return Series(middle, series.step_seconds, plain)

    def decode(self, scores: np.ndarray) -> np.ndarray:
        """Return the values of scores, float32 of the same shape (..., c); NaN stays NaN.

        A channel that was never recorded comes out as NaN.
        """
        out = np.full(scores.shape, np.nan, dtype=np.float32)
        for c in range(len(self.values)):
            known = ~np.isnan(scores[..., c])
            if len(self.values[c]):
                out[..., c][known] = self._decode_channel(c, scores[..., c][known])
        return out

    def middle(self, c: int, scores: np.ndarray) -> np.ndarray:
        """Return the middle of the interval in which each score of channel c lies."""
        if len(self.values[c]) == 0:
            return np.zeros_like(scores)
        low, high = self._interval(c, self._decode_channel(c, scores))
        return (0.5 * (ndtri(low) + ndtri(high))).astype(np.float32)

    def _decode_channel(self, c: int, scores: np.ndarray) -> np.ndarray:
        u, values = ndtr(scores.astype(np.float64)), self.values[c]
        if self.stairs[c]:
            place = np.searchsorted(self.shares[c], u, side="left")
            return values[np.minimum(place, len(values) - 1)]
        return on_grid(np.interp(u, self.shares[c], values), values[0], self.steps[c])

    def _interval(self, c: int, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, shares = self.values[c], self.shares[c]
        if self.stairs[c]:
            place = np.clip(np.searchsorted(values, cells), 0, len(values) - 1)
            below = np.concatenate([[0.0], shares])[place]
            low, high = below, shares[place]
        else:
            half = self.steps[c] / 2
            low, high = (np.interp(cells + d, values, shares) for d in (-half, half))
        return np.clip(low, _EDGE, 1 - _EDGE), np.clip(high, _EDGE, 1 - _EDGE)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the maps as named arrays for an artifact."""
        named: dict[str, np.ndarray] = {}
        for c, (values, shares) in enumerate(zip(self.values, self.shares, strict=True)):
            named |= {f"scores.values.{c}": values, f"scores.shares.{c}": shares}
        named["scores.stairs"] = np.array(self.stairs)
        named["scores.steps"] = np.array(self.steps)
        return named

    @classmethod
    def from_arrays(cls, named: Mapping[str, np.ndarray]) -> Self:
        """Rebuild what `arrays` returned."""
        count = len(named["scores.steps"])
        return cls(
            tuple(named[f"scores.values.{c}"] for c in range(count)),
            tuple(named[f"scores.shares.{c}"] for c in range(count)),
            tuple(bool(s) for s in named["scores.stairs"]),
            tuple(float(s) for s in named["scores.steps"]),
        )


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


def on_grid(values: np.ndarray, origin: float, step: float) -> np.ndarray:
    """Return the values rounded to ``origin + k * step``; unchanged where ``step`` is 0."""
    return values if step == 0 else origin + np.rint((values - origin) / step) * step


def _fit_channel(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool, float]:
    cells = np.sort(values[~np.isnan(values)].astype(np.float64))
    if len(cells) == 0:
        return np.zeros(0), np.zeros(0), True, 0.0
    step = resolution(cells)
    distinct, counts = np.unique(cells, return_counts=True)
    repeated = len(distinct) == 1 or len(cells) >= 2 * len(distinct)
    if len(distinct) <= _MOST_LEVELS and repeated:
        return distinct, np.cumsum(counts) / len(cells), True, step
    shares = np.linspace(0.0, 1.0, _KNOTS)
    knots = np.quantile(cells, shares)
    distinct, first = np.unique(knots, return_index=True)
    return distinct, shares[_middle(first, len(knots))], False, step


def _middle(first: np.ndarray, count: int) -> Sequence[int] | np.ndarray:
    """Return, for each distinct knot, the middle of the run of knots that share its value."""
    last = np.append(first[1:], count) - 1
    middle = (first + last) // 2
    middle[0], middle[-1] = 0, count - 1
    return middle
