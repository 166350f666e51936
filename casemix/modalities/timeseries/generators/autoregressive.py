"""Autoregressive GRU: gaps and values, time by time, given a drawn profile of the series."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from casemix.core import artifact
from casemix.core.batches import fixed_batches
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.core.training import TrainConfig, load_state, seeded, state_arrays, train
from casemix.errors import FitError
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.drawing import Noise, Own, draw, spread_gain
from casemix.modalities.timeseries.form import SeriesForm, fitted
from casemix.modalities.timeseries.profile import Profiler
from casemix.modalities.timeseries.profile_model import ProfileModel
from casemix.modalities.timeseries.recurrent import RecurrentSeries, mixture_nll
from casemix.modalities.timeseries.scaling import ChannelScale

_NAME = "timeseries/autoregressive"
_LEAST = 16  # series
_LONGEST = 512  # times


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
        self._gain: np.ndarray

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
        self._gain = self._calibrated(scored, seed)
        return self

    def _calibrated(self, scored: Series, seed: int) -> np.ndarray:
        """Return the spread gain of each channel, from series drawn for training profiles."""
        profiles = self._profiles.profiler.scores(scored)
        ids = [f"calibration {i}" for i in range(min(len(profiles), 4 * self.config.batch))]
        drawn = self._drawn(profiles[: len(ids)], ids, np.ones(scored.values.shape[2]), seed)
        own = Own.of(self._profiles.profiler, profiles[: len(ids)])
        return spread_gain(drawn, own)

    def _drawn(
        self,
        profiles: np.ndarray,
        ids: list[str],
        gain: np.ndarray,
        seed: int,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Return scaled series (n, t, c) of profiles (n, k)."""
        form = fitted(self._form, _NAME)
        drawn = np.empty((len(ids), form.times, len(form.channels)), dtype=np.float32)
        with (progress or Progress()).step("series", len(ids)) as bar, torch.inference_mode():
            for positions, used in fixed_batches(len(ids), self.config.batch):
                noise = Noise.of(seed, [ids[i] for i in positions], drawn.shape[1:])
                own = Own.of(self._profiles.profiler, profiles[positions]).wider(gain)
                drawn[positions[:used]] = draw(self._net, self._scale, own, noise)[:used]
                bar.advance(used)
        return drawn

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """See `Generator.generate`."""
        form = fitted(self._form, _NAME)
        aligned = given.align(form.given)
        profiles = self._profiles.draw(aligned, seed=seed)
        drawn = self._drawn(profiles, aligned.sample_ids, self._gain, seed, progress)
        return form.samples(given, self._scale.decode(drawn))

    def save(self, folder: Path) -> None:
        """See `Generator.save`."""
        form = fitted(self._form, _NAME)
        with artifact.writing(folder, _NAME) as draft:
            draft.json("config", asdict(self.config))
            draft.json("form", form.to_json())
            draft.json("encoder", self._profiles.encoder.to_json())
            own = {"gain": self._gain}
            draft.arrays("fitted", self._scale.arrays() | self._profiles.arrays() | own)
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
        model._gain = named["gain"]
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


def _loss(scale: ChannelScale, series: Series, profiler: Profiler, config: Config) -> _Loss:
    own = Own.of(profiler, profiler.scores(scale.series(series)))
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
