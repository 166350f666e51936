"""Quantile bins of a recorded number: it becomes one of a few tokens, and comes back smoothed.

What comes back follows the density within the bin on the recorded resolution. The outermost values
are drawn in until several subjects lie at or beyond them, so no one's extreme value comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

_KNOTS = 8  # pieces of the density within a bin
_MULTIPLE = 0.98  # share of numbers that are multiples of the resolution
_STEPS = tuple(m * 10.0**e for e in range(3, -5, -1) for m in (5, 2, 1))
#: Resolutions of times, in hours: a day down to a second.
TIME_STEPS = (24.0, 12.0, 1.0, 0.5, 0.25, 1 / 6, 1 / 12, 1 / 60, 1 / 3600)


@dataclass(frozen=True)
class Bins:
    """The bins of one number.

    Args:
        knots: values at which each bin's distribution is known, float64 (bins, 9), rising.
        low: smallest value that comes out.
        high: largest value that comes out.
        step: recorded resolution; 0 = none was seen.
    """

    knots: np.ndarray
    low: float
    high: float
    step: float

    def __len__(self) -> int:
        return len(self.knots)

    @classmethod
    def fit(
        cls,
        values: np.ndarray,
        owners: np.ndarray,
        *,
        most: int,
        least: int,
        steps: tuple[float, ...] = _STEPS,
    ) -> Self | None:
        """Learn at most ``most`` bins, or return None where too few subjects have a value.

        Args:
            values: recorded numbers, (n,), no NaN.
            owners: the subject of each, integers (n,).
            most: bins.
            least: subjects that must lie at or beyond either end of the range.
            steps: resolutions to look for, coarse to fine.
        """
        limits = _common_range(values, owners, least)
        if limits is None:
            return None
        step = resolution(values, steps)
        inside = np.sort(np.clip(values, *limits))
        spread = _unrounded(inside, step)
        count = max(1, min(most, len(values) // (2 * least)))
        return cls(_knots(inside, spread, count, least), *limits, step)

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Return the bin of each value, int64 (n,)."""
        edges = (self.knots[:-1, -1] + self.knots[1:, 0]) / 2
        return np.searchsorted(edges, np.clip(values, self.low, self.high), side="right")

    def decode(self, bins: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Return a value within each bin from uniform numbers in (0, 1), float64 (n,)."""
        place = u * _KNOTS
        left = np.minimum(place.astype(int), _KNOTS - 1)
        start, end = self.knots[bins, left], self.knots[bins, left + 1]
        drawn = start + (place - left) * (end - start)
        if self.step > 0:
            drawn = np.round(np.round(drawn / self.step) * self.step, 10)
        return np.clip(drawn, self.low, self.high)


def resolution(values: np.ndarray, steps: tuple[float, ...] = _STEPS) -> float:
    """Return the coarsest step of which nearly all values are multiples; 0 if there is none."""
    size = np.abs(values[values != 0])
    usual = np.median(size) if len(size) else 0.0
    for step in (s for s in steps if s <= usual):
        off = np.abs(values / step - np.round(values / step))
        # float32 sources are off by about 1e-7 of the value
        if (off < 1e-3 + 2e-7 * np.abs(values) / step).mean() >= _MULTIPLE:
            return step
    return 0.0


def _common_range(values: np.ndarray, owners: np.ndarray, least: int) -> tuple[float, float] | None:
    """Return values at or below (above) which ``least`` subjects have one."""
    order = np.argsort(values, kind="stable")
    found = []
    for rows in (order, order[::-1]):
        _, first = np.unique(owners[rows], return_index=True)
        if len(first) < least:
            return None
        found.append(float(values[rows[np.sort(first)[least - 1]]]))
    low, high = found
    return (low, high) if low <= high else (high, low)


def _unrounded(inside: np.ndarray, step: float) -> np.ndarray:
    """Spread equal sorted values evenly over the interval that is rounded to them."""
    if step <= 0:
        return inside
    distinct, start, count = np.unique(inside, return_index=True, return_counts=True)
    rank = np.arange(len(inside)) - np.repeat(start, count)
    return np.repeat(distinct, count) + step * ((rank + 0.5) / np.repeat(count, count) - 0.5)


def _knots(inside: np.ndarray, spread: np.ndarray, most: int, least: int) -> np.ndarray:
    """Return the knots of at most ``most`` bins of about equally many values, (bins, 9)."""
    _, start, count = np.unique(inside, return_index=True, return_counts=True)
    middle = (start + count / 2) / len(inside)
    bins = np.repeat(np.floor(middle * most).astype(int), count)
    found = []
    for label in np.unique(bins):
        members = spread[bins == label]
        if len(members) >= _KNOTS * least:
            found.append(np.quantile(members, np.linspace(0, 1, _KNOTS + 1)))
        else:  # too few for a shape that is not theirs alone
            found.append(np.linspace(members[0], members[-1], _KNOTS + 1))
    return np.stack(found)
