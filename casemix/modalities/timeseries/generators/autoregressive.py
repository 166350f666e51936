"""Autoregressive GRU: gaps and values, time by time, given a drawn profile of the series."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from casemix.core import artifact, seeding
from casemix.core.batches import fixed_batches
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.core.training import TrainConfig, load_state, seeded, state_arrays, train
from casemix.errors import FitError
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.form import SeriesForm, fitted
from casemix.modalities.timeseries.profile import Profiler
from casemix.modalities.timeseries.profile_model import ProfileModel
from casemix.modalities.timeseries.recurrent import (
    Past,
    RecurrentSeries,
    mixture_draw,
    mixture_nll,
)
from casemix.modalities.timeseries.scaling import ChannelScale

_NAME = "timeseries/autoregressive"
_LEAST = 16  # series
_LONGEST = 512  # times
_LEAST_SPREAD = 0.15  # of a channel in one series, in standard deviations of the channel


@dataclass(frozen=True)
class Config:
    """How to learn and to draw.

    Args:
        hidden: width of the recurrent state.
        parts: Gaussians in each mixture of scores.
        dropout: share of the recurrent state hidden from the heads in training.
        jitter: noise on the profile in training, in its standard deviations, so that a profile
            does not name its subject.
        batch: series drawn at a time; part of what makes a sample bit-identical.
        train: optimiser settings.
    """

    hidden: int = 96
    parts: int = 4
    dropout: float = 0.1
    jitter: float = 0.1
    batch: int = 64
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=600, learning_rate=3e-3, weight_decay=0.01, ema_decay=0.99
        )
    )


class Autoregressive(Generator):
    """Draws a profile given the conditions, then a series of that profile, time by time.

    At each time the network first draws which channels are recorded and then their values, so
    gaps may follow events and values may follow gaps.

    Reference:
        Graves, Generating sequences with recurrent neural networks, arXiv:1308.0850, 2013.
    """

    modality: ClassVar[str] = "timeseries"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self._form: SeriesForm | None = None
        self._scale: ChannelScale
        self._profiles: ProfileModel
        self._net: RecurrentSeries

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """See `Generator.fit`."""
        form = SeriesForm.of(data, given, who=_NAME, least=_LEAST)
        if form.times > _LONGEST:
            raise FitError(
                f"{_NAME} writes one time after the other, which is slow for long series.",
                given=f"{form.times} times",
                allowed=f"<= {_LONGEST}",
                next_step="Use timeseries/flow.",
            )
        series: Series = data.payload
        self._scale = ChannelScale.fit(series.values)
        scored = self._scale.series(series)
        self._profiles = ProfileModel.fit(scored, given)
        self._form = form
        net = self._network(seed)
        loss = _loss(self._scale, series, self._profiles.profiler, self.config)
        train(net, loss, len(data), self.config.train, seed=seed, progress=progress, label="series")
        self._net = net.eval()
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """See `Generator.generate`."""
        form = fitted(self._form, _NAME)
        aligned = given.align(form.given)
        contexts = self._profiles.draw(aligned, seed=seed)
        values = np.empty((len(aligned), form.times, len(form.channels)), dtype=np.float32)
        ids = aligned.sample_ids
        with (progress or Progress()).step("series", len(ids)) as bar, torch.inference_mode():
            for positions, used in fixed_batches(len(ids), self.config.batch):
                noise = _Noise.of(seed, [ids[i] for i in positions], values.shape[1:])
                own = _Own.of(self._profiles.profiler, contexts[positions])
                drawn = _draw(self._net, self._scale, own, noise)
                values[positions[:used]] = self._scale.decode(drawn)[:used]
                bar.advance(used)
        return form.samples(given, values)

    def save(self, folder: Path) -> None:
        """See `Generator.save`."""
        form = fitted(self._form, _NAME)
        with artifact.writing(folder, _NAME) as draft:
            draft.json("config", asdict(self.config))
            draft.json("form", form.to_json())
            draft.json("encoder", self._profiles.encoder.to_json())
            draft.arrays("fitted", self._scale.arrays() | self._profiles.arrays())
            draft.arrays("network", state_arrays(self._net))

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """See `Generator.load`."""
        saved = artifact.reading(folder, _NAME)
        config = saved.json("config")
        model = cls(Config(**config | {"train": TrainConfig(**config["train"])}))
        named = saved.arrays("fitted")
        model._form = SeriesForm.from_json(saved.json("form"))
        model._scale = ChannelScale.from_arrays(named)
        model._profiles = ProfileModel.restore(saved.json("encoder"), named)
        model._net = model._network(0)
        load_state(model._net, saved.arrays("network"))
        model._net.eval()
        return model

    @classmethod
    def tiny(cls) -> Self:
        """See `Generator.tiny`."""
        settings = TrainConfig(steps=25, batch_size=16, learning_rate=1e-2, warmup=5)
        return cls(Config(hidden=16, parts=2, batch=8, train=settings))

    def _network(self, seed: int) -> RecurrentSeries:
        form, c = fitted(self._form, _NAME), self.config
        return seeded(
            seed,
            lambda: RecurrentSeries(
                len(form.channels),
                form.times,
                self._profiles.profiler.width,
                hidden=c.hidden,
                parts=c.parts,
            ),
        )


@dataclass(frozen=True)
class _Own:
    """What belongs to each series: its context, and its own level and spread of each channel.

    The network sees values less the level, divided by the spread. How strongly a subject differs
    from others is then settled by the profile, and what is left to learn is alike in all.
    """

    context: torch.Tensor  # (n, k)
    level: torch.Tensor  # (n, 1, c)
    spread: torch.Tensor  # (n, 1, c)

    @classmethod
    def of(cls, profiler: Profiler, profiles: np.ndarray) -> Self:
        level, spread = profiler.levels(profiles)
        spread = np.maximum(np.nan_to_num(spread, nan=1.0), _LEAST_SPREAD)
        parts = (profiles, np.nan_to_num(level)[:, None], spread[:, None])
        return cls(*(torch.from_numpy(part.astype(np.float32)) for part in parts))


def _loss(scale: ChannelScale, series: Series, profiler: Profiler, config: Config) -> _Loss:
    own = _Own.of(profiler, profiler.scores(scale.series(series)))
    ends = (torch.from_numpy(a) for a in scale.encode(series.values))
    lower, upper = ((end - own.level) / own.spread for end in ends)
    seen = torch.from_numpy(series.recorded.astype(np.float32))
    return _Loss(lower, upper, seen, own.context, config)


@dataclass(frozen=True)
class _Loss:
    """Negative log-likelihood per cell: of being recorded, plus of the recorded score."""

    lower: torch.Tensor
    upper: torch.Tensor
    seen: torch.Tensor
    context: torch.Tensor
    config: Config

    def __call__(
        self, model: nn.Module, positions: torch.Tensor, noise: torch.Generator
    ) -> torch.Tensor:
        where, rows = positions.device, positions.cpu()
        u = torch.rand(self.lower[rows].shape, generator=noise)
        seen = self.seen[rows].to(where)
        lower, upper = self.lower[rows].to(where), self.upper[rows].to(where)
        context = self.context[rows]
        context = context + self.config.jitter * torch.randn(context.shape, generator=noise)
        # The network reads the middle of each interval and is judged anywhere in it.
        keep = self._keep(len(rows), noise).to(where)
        logits, mixtures = model(0.5 * (lower + upper), seen, context.to(where), keep)
        scores = torch.lerp(lower, upper, u.to(where))
        of_seen = F.binary_cross_entropy_with_logits(logits, seen)
        of_scores = (mixture_nll(mixtures, scores) * seen).sum() / seen.sum().clamp(min=1)
        return of_seen + of_scores

    def _keep(self, rows: int, noise: torch.Generator) -> torch.Tensor:
        """Return dropout's factors, the same at all times of a series, (rows, 1, hidden)."""
        share = 1.0 - self.config.dropout
        drawn = torch.rand((rows, 1, self.config.hidden), generator=noise)
        return (drawn < share).float() / share


@dataclass(frozen=True)
class _Noise:
    """The randomness of a batch: (b, t, c) each."""

    seen: torch.Tensor
    choice: torch.Tensor
    score: torch.Tensor

    @classmethod
    def of(cls, seed: int, ids: list[str], shape: tuple[int, ...]) -> Self:
        count = int(np.prod(shape))
        flat = [
            seeding.uniform(seed, ids, count, stream="seen"),
            seeding.uniform(seed, ids, count, stream="choice"),
            seeding.normal(seed, ids, (count,), stream="score"),
        ]
        return cls(*(torch.from_numpy(a.reshape(-1, *shape).astype(np.float32)) for a in flat))


def _draw(net: RecurrentSeries, scale: ChannelScale, own: _Own, noise: _Noise) -> np.ndarray:
    """Return scores (b, t, c), NaN where nothing is recorded."""
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
