"""Repeating waveforms given conditions: for series made of cycles, such as heart beats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from casemix.core import seeding
from casemix.core.conditions import Conditions
from casemix.core.encoding import ConditionEncoder
from casemix.core.progress import Progress
from casemix.modalities.timeseries.channel_basis import ChannelBasis
from casemix.modalities.timeseries.cycle_parts import CycleParts, Decomposition
from casemix.modalities.timeseries.cycles import CycleClock
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.landmarks import find_landmarks
from casemix.modalities.timeseries.linear_gaussian import LinearGaussian
from casemix.modalities.timeseries.normal_scores import NormalScores
from casemix.modalities.timeseries.profile import WAVEFORM_FROM
from casemix.modalities.timeseries.scaling import ChannelScale

_MOST = 0.9  # share of training series that must show cycles
_ALIKE = 0.5  # least share of a usual series' variance that its mean cycle explains
_LEAST = 16  # series


@dataclass(frozen=True)
class CycleModel:
    """p(series of cycles | any subset of the conditions), without a network.

    Each series is taken apart into rhythm (durations of cycles), mean cycle, noise and baseline.
    The numbers that describe these are normal scores, linear-Gaussian given the conditions; a
    series is put together again from drawn numbers, cycle by cycle. Beats thus keep their
    sharpness and come in a rhythm, which a network has to learn from far more series.

    Args:
        times: t of the series.
        scale: of the channels.
        basis: which channels are independent.
        parts: series to numbers and back.
        marginals: of the numbers.
        encoder: of the conditions.
        linear: normal scores of the numbers given encoded conditions.

    Reference:
        McSharry et al., A dynamical model for generating synthetic electrocardiogram signals,
        IEEE Trans. Biomed. Eng. 2003 (rhythm apart from the shape of the cycle).
    """

    times: int
    scale: ChannelScale
    basis: ChannelBasis
    parts: CycleParts
    marginals: NormalScores
    encoder: ConditionEncoder
    linear: LinearGaussian

    @classmethod
    def fit(cls, series: Series, given: Conditions) -> Self | None:
        """Learn from series and their conditions, row by row; None if they are not of cycles.

        They are, if they are waveforms without gaps, nine in ten repeat themselves (see
        `find_landmarks`) and the mean cycle explains half of a usual series' variance. Series
        that do not repeat themselves are then left out.
        """
        if series.values.shape[1] < WAVEFORM_FROM or not series.recorded.all():
            return None
        scale = ChannelScale.fit(series.values)
        waves = scale.series(series).values.astype(np.float64)
        landmarks = find_landmarks(waves)
        clear = np.flatnonzero([len(places) > 0 for places in landmarks])
        if len(clear) < max(_LEAST, _MOST * len(waves)):
            return None
        waves, landmarks = waves[clear], [landmarks[i] for i in clear]
        means = waves.mean(axis=1)
        basis = ChannelBasis.fit(waves - means[:, None])
        clock = CycleClock(round(np.median(np.concatenate([np.diff(p) for p in landmarks]))))
        inner = (waves - means[:, None])[..., basis.kept]
        found = Decomposition.of(inner, landmarks, clock)
        if found.explained < _ALIKE:
            return None
        parts = CycleParts.fit(found, clock)
        numbers = parts.numbers(found, means[:, basis.kept])
        marginals, encoder = NormalScores.fit(numbers), ConditionEncoder.fit(given)
        values, known = (part[clear] for part in encoder.encode(given))
        linear = LinearGaussian.fit(values, known, marginals.scores(numbers))
        return cls(waves.shape[1], scale, basis, parts, marginals, encoder, linear)

    def draw(self, given: Conditions, *, seed: int, progress: Progress | None = None) -> np.ndarray:
        """Return one series per row of conditions, float32 (n, t, c)."""
        values, known = self.encoder.encode(given)
        ids, width = given.sample_ids, len(self.linear.offset)
        noise = seeding.normal(seed, ids, (width,), stream="numbers")
        numbers = self.marginals.numbers(self.linear.draw(values, known, noise))
        out = np.empty((len(ids), self.times, self.basis.weights.shape[1]), dtype=np.float32)
        with (progress or Progress()).step("series", len(ids)) as bar:
            for row, sample_id in enumerate(ids):
                wave = self.parts.draw(numbers[row], sample_id, self.times, seed=seed)
                # What can be recorded first: others then follow from it without a rest.
                kept = [self.scale.middle(c, wave[:, k]) for k, c in enumerate(self.basis.kept)]
                out[row] = self.scale.decode(np.stack(kept, axis=1) @ self.basis.weights)
                bar.advance()
        return out

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the parameters as named arrays for an artifact."""
        own = {"times": np.array(self.times), "marginals": self.marginals.quantiles}
        parts = (self.scale, self.basis, self.parts, self.linear)
        return own | {name: array for part in parts for name, array in part.arrays().items()}

    @classmethod
    def restore(cls, encoder: Mapping[str, Any], named: Mapping[str, np.ndarray]) -> Self:
        """Rebuild from `ConditionEncoder.to_json` and `arrays`."""
        return cls(
            int(named["times"]),
            ChannelScale.from_arrays(named),
            ChannelBasis.from_arrays(named),
            CycleParts.from_arrays(named),
            NormalScores(named["marginals"]),
            ConditionEncoder.from_json(encoder),
            LinearGaussian.from_arrays(named),
        )
