"""Profiles given conditions: the first stage of the network generators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from casemix.core import seeding
from casemix.core.conditions import Conditions
from casemix.core.encoding import ConditionEncoder
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.linear_gaussian import LinearGaussian
from casemix.modalities.timeseries.profile import Profiler

_LARGEST = 3.5  # standard deviations of a profile that the second stage may be asked for


@dataclass(frozen=True)
class ProfileModel:
    """p(profile | any subset of the conditions).

    With some hundred subjects and some dozen conditions, a ridge with leave-one-out penalties
    ties series to conditions without memorising; the second stage, a network, then only learns
    what a series of a given profile looks like, which every hour of every subject teaches.
    """

    encoder: ConditionEncoder
    profiler: Profiler
    linear: LinearGaussian

    @classmethod
    def fit(cls, series: Series, given: Conditions) -> Self:
        """Learn from series and their conditions, row by row."""
        encoder, profiler = ConditionEncoder.fit(given), Profiler.fit(series)
        values, known = encoder.encode(given)
        return cls(encoder, profiler, LinearGaussian.fit(values, known, profiler.scores(series)))

    def draw(self, given: Conditions, *, seed: int) -> np.ndarray:
        """Return one profile per row, float32 (n, k)."""
        values, known = self.encoder.encode(given)
        noise = seeding.normal(seed, given.sample_ids, (self.profiler.width,), stream="profile")
        drawn = self.linear.draw(values, known, noise)
        return np.clip(drawn, -_LARGEST, _LARGEST).astype(np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the parameters as named arrays for an artifact."""
        return self.profiler.arrays() | self.linear.arrays()

    @classmethod
    def restore(cls, encoder: Mapping[str, Any], named: Mapping[str, np.ndarray]) -> Self:
        """Rebuild from `ConditionEncoder.to_json` and `arrays`."""
        return cls(
            ConditionEncoder.from_json(encoder),
            Profiler.from_arrays(named),
            LinearGaussian.from_arrays(named),
        )
