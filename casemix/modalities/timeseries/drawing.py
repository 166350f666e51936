"""Drawing from the recurrent network, in each series' own units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from casemix.core import seeding
from casemix.modalities.timeseries.profile import Profiler
from casemix.modalities.timeseries.recurrent import Past, RecurrentSeries, mixture_draw
from casemix.modalities.timeseries.scaling import ChannelScale

_LEAST_SPREAD = 0.15  # of a channel in one series, in standard deviations of the channel
_ENOUGH = 8  # recorded cells for a standard deviation to be compared
_GAINS = (0.8, 1.25)


@dataclass(frozen=True)
class Own:
    """What belongs to each series: its context, and its own level and spread of each channel.

    The network sees values less the level, divided by the spread. How strongly a subject differs
    from others is then settled by the profile, and what is left to learn is alike in all.
    """

    context: torch.Tensor  # (n, k)
    level: torch.Tensor  # (n, 1, c)
    spread: torch.Tensor  # (n, 1, c)

    def wider(self, gain: np.ndarray) -> Self:
        """Return the same with the spread of each channel times ``gain`` (c,)."""
        factor = torch.from_numpy(gain.astype(np.float32))
        return type(self)(self.context, self.level, self.spread * factor)

    @classmethod
    def of(cls, profiler: Profiler, profiles: np.ndarray) -> Self:
        """Return what profiles (n, k) say."""
        level, spread = profiler.levels(profiles)
        spread = np.maximum(np.nan_to_num(spread, nan=1.0), _LEAST_SPREAD)
        parts = (profiles, np.nan_to_num(level)[:, None], spread[:, None])
        return cls(*(torch.from_numpy(part.astype(np.float32)) for part in parts))


@dataclass(frozen=True)
class Noise:
    """The randomness of a batch: (b, t, c) each."""

    seen: torch.Tensor
    choice: torch.Tensor
    score: torch.Tensor

    @classmethod
    def of(cls, seed: int, ids: Sequence[str], shape: tuple[int, ...]) -> Self:
        """Return counter-based noise for samples of shape (t, c)."""
        count = int(np.prod(shape))
        flat = [
            seeding.uniform(seed, ids, count, stream="seen"),
            seeding.uniform(seed, ids, count, stream="choice"),
            seeding.normal(seed, ids, (count,), stream="score"),
        ]
        return cls(*(torch.from_numpy(a.reshape(-1, *shape).astype(np.float32)) for a in flat))


def draw(net: RecurrentSeries, scale: ChannelScale, own: Own, noise: Noise) -> np.ndarray:
    """Return scaled series (b, t, c), NaN where nothing is recorded."""
    b, times, c = noise.seen.shape
    past = Past(torch.zeros(b, 1, c), torch.zeros(b, 1, c), torch.zeros(b, 1, c))
    memory, made = None, []
    for t in range(times):
        state, memory = net.step(past, own.context, t, memory)
        seen, scores = torch.zeros(b, 1, c), torch.zeros(b, 1, c)
        for j in range(c):
            chance = torch.sigmoid(net.seen_logits(state, seen)[..., j])
            seen[..., j] = (noise.seen[:, t : t + 1, j] < chance).float()
        for j in range(c):
            mixture = net.mixtures(state, scores, seen, past.last)[..., j, :]
            choice, normal = noise.choice[:, t : t + 1, j], noise.score[:, t : t + 1, j]
            drawn = mixture_draw(mixture, choice, normal)
            level, spread = own.level[..., j], own.spread[..., j]
            middle = scale.middle(j, (drawn * spread + level).numpy())
            scores[..., j] = (torch.from_numpy(middle) - level) / spread * seen[..., j]
        made.append(torch.where(seen > 0, scores, torch.nan))
        age = torch.where(seen > 0, 0.0, torch.expm1(past.age) + 1)
        past = Past(torch.where(seen > 0, scores, past.last), torch.log1p(age), seen)
    return (torch.cat(made, dim=1) * own.spread + own.level).numpy()


def spread_gain(drawn: np.ndarray, own: Own) -> np.ndarray:
    """Return by how much the spread of drawn series falls short of what was asked for, (c,).

    A network that is not sure of an event spreads it thinly, so drawn series vary a little less
    over time than their profiles say. Asking for that much more mends it.

    Args:
        drawn: scaled series (n, t, c), NaN where nothing is recorded.
        own: what they were drawn for.
    """
    count = (~np.isnan(drawn)).sum(axis=1)
    enough = count >= _ENOUGH
    centre = np.nansum(drawn, axis=1) / np.maximum(count, 1)
    square = np.nansum((drawn - centre[:, None]) ** 2, axis=1) / np.maximum(count, 1)
    short = np.log(own.spread[:, 0].numpy()) - 0.5 * np.log(np.maximum(square, 1e-6))
    gain = np.where(enough, short, 0.0).sum(axis=0) / np.maximum(enough.sum(axis=0), 1)
    return np.clip(np.exp(gain), *_GAINS)
