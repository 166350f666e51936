"""Clocks: times as whole steps of the resolution in which they were recorded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_RESOLUTIONS = (24.0, 1.0, 1 / 60, 1 / 3600)  # hours: a day, an hour, a minute, a second
_ROUNDING = 1e-4  # of a step: what float64 hours lose over centuries


@dataclass(frozen=True)
class Clock:
    """Counts times in steps of one resolution; a date without a time of day counts days.

    Args:
        resolution: hours per step.
    """

    resolution: float

    @classmethod
    def fit(cls, hours: np.ndarray) -> Clock:
        """Return the clock of the coarsest resolution that all known times fit."""
        known = hours[~np.isnan(hours)]
        for resolution in _RESOLUTIONS:
            steps = known / resolution
            if (np.abs(steps - np.round(steps)) < _ROUNDING).all():
                return cls(resolution)
        return cls(_RESOLUTIONS[-1])

    def number(self, hours: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return in which step times lie: whole numbers, NaN where missing."""
        return np.floor(np.asarray(hours, dtype=np.float64) / self.resolution + _ROUNDING)

    def between(self, earlier: npt.ArrayLike, later: npt.ArrayLike) -> np.ndarray:
        """Return how many steps later one time is than another; negative where it is earlier."""
        return np.asarray(self.number(later) - self.number(earlier))

    def after(self, earlier: npt.ArrayLike, steps: npt.ArrayLike) -> np.ndarray:
        """Return the time that is so many steps later, in hours."""
        return np.asarray(
            (self.number(earlier) + np.round(np.asarray(steps, dtype=np.float64))) * self.resolution
        )
