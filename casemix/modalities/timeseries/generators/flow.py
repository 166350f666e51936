"""Waveforms and other long series: cycles where there are any, else flow matching over patches."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from torch import nn

from casemix.core import artifact, seeding
from casemix.core.batches import fixed_batches
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.core.training import TrainConfig, load_state, seeded, state_arrays, train
from casemix.modalities.timeseries.cycle_model import CycleModel
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.filled import FilledCoder
from casemix.modalities.timeseries.form import SeriesForm, fitted
from casemix.modalities.timeseries.patches import PatchCoder
from casemix.modalities.timeseries.profile_model import ProfileModel
from casemix.modalities.timeseries.transformer import PatchTransformer

_NAME = "timeseries/flow"
_LEAST = 16  # series


@dataclass(frozen=True)
class Config:
    """How to learn and to draw.

    Args:
        hidden: width of the transformer's layers.
        layers: number of layers.
        heads: attention heads of each.
        jitter: noise on the profile in training, in its standard deviations, so that a profile
            does not name its subject.
        solver_steps: midpoint steps from noise to data.
        batch: series drawn at a time; part of what makes a sample bit-identical.
        train: optimiser settings.
    """

    hidden: int = 128
    layers: int = 4
    heads: int = 4
    jitter: float = 0.1
    solver_steps: int = 16
    batch: int = 32
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=1500, batch_size=32, learning_rate=1e-3, weight_decay=0.01, ema_decay=0.995
        )
    )


class Flow(Generator):
    """Draws a profile given the conditions, then a whole series of that profile at once.

    The series, its gaps filled and marked, is cut into patches on principal axes; a transformer
    learns the velocity that carries noise to data along straight lines.

    Waveforms without gaps that consist of cycles, such as an ECG, are not left to the network:
    rhythm, mean cycle and noise are modelled apart (`CycleModel`, which says how cycles are told;
    fitting then takes seconds, and of the settings none matters).

    Reference:
        Lipman et al., Flow matching for generative modeling, ICLR 2023.
        McSharry et al., A dynamical model for generating synthetic electrocardiogram signals,
        IEEE Trans. Biomed. Eng. 2003.
    """

    modality: ClassVar[str] = "timeseries"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self._form: SeriesForm | None = None
        self._cycles: CycleModel | None = None
        self._filled: FilledCoder
        self._patches: PatchCoder
        self._profiles: ProfileModel
        self._net: PatchTransformer

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """See `Generator.fit`."""
        form = SeriesForm.of(data, given, who=_NAME, least=_LEAST)
        series: Series = data.payload
        self._form = form
        self._cycles = CycleModel.fit(series, given)
        if self._cycles is None:
            self._fit_patches(series, given, seed=seed, progress=progress)
        return self

    def _fit_patches(
        self, series: Series, given: Conditions, *, seed: int, progress: Progress | None
    ) -> None:
        self._filled = FilledCoder.fit(series)
        filled = self._filled.encode(series)
        self._patches = PatchCoder.fit(filled)
        scaled = self._filled.scale.series(series)
        self._profiles = ProfileModel.fit(scaled, given)
        net = self._network(seed)
        loss = _Loss.of(
            self._patches,
            self._patches.encode(filled),
            self._profiles.profiler.scores(scaled),
            self.config.jitter,
        )
        steps = self.config.train
        train(net, loss, len(series), steps, seed=seed, progress=progress, label="series")
        self._net = net.eval()

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """See `Generator.generate`."""
        form = fitted(self._form, _NAME)
        aligned = given.align(form.given)
        if self._cycles is not None:
            values = self._cycles.draw(aligned, seed=seed, progress=progress)
        else:
            values = self._drawn(aligned, form, seed=seed, progress=progress)
        return form.samples(given, values)

    def _drawn(
        self, aligned: Conditions, form: SeriesForm, *, seed: int, progress: Progress | None
    ) -> np.ndarray:
        """Return series that the flow carries from noise, float32 (n, t, c)."""
        contexts = self._profiles.draw(aligned, seed=seed)
        values = np.empty((len(aligned), form.times, len(form.channels)), dtype=np.float32)
        ids, shape = aligned.sample_ids, (self._patches.count, self._patches.width)
        with (progress or Progress()).step("series", len(ids)) as bar, torch.inference_mode():
            for positions, used in fixed_batches(len(ids), self.config.batch):
                noise = seeding.normal(seed, [ids[i] for i in positions], shape, stream="flow")
                start = torch.from_numpy(noise.astype(np.float32))
                context = torch.from_numpy(contexts[positions])
                drawn = _carried(self._net, start, context, self.config.solver_steps)
                filled = self._patches.decode(drawn.numpy())
                means, _ = self._profiles.profiler.levels(contexts[positions])
                made = self._filled.decode(filled, means)
                values[positions[:used]] = made[:used]
                bar.advance(used)
        return values

    def save(self, folder: Path) -> None:
        """See `Generator.save`."""
        form = fitted(self._form, _NAME)
        with artifact.writing(folder, _NAME) as draft:
            draft.json("config", asdict(self.config))
            draft.json("form", form.to_json())
            draft.json("path", {"cycles": self._cycles is not None})
            if self._cycles is not None:
                draft.json("encoder", self._cycles.encoder.to_json())
                draft.arrays("fitted", self._cycles.arrays())
                return
            draft.json("encoder", self._profiles.encoder.to_json())
            own = self._filled.arrays() | self._patches.arrays() | self._profiles.arrays()
            draft.arrays("fitted", own)
            draft.arrays("network", state_arrays(self._net))

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """See `Generator.load`."""
        saved = artifact.reading(folder, _NAME)
        config = saved.json("config")
        model = cls(Config(**config | {"train": TrainConfig(**config["train"])}))
        named = saved.arrays("fitted")
        model._form = SeriesForm.from_json(saved.json("form"))
        if saved.json("path")["cycles"]:
            model._cycles = CycleModel.restore(saved.json("encoder"), named)
            return model
        model._filled = FilledCoder.from_arrays(named)
        model._patches = PatchCoder.from_arrays(named)
        model._profiles = ProfileModel.restore(saved.json("encoder"), named)
        model._net = model._network(0)
        load_state(model._net, saved.arrays("network"))
        model._net.eval()
        return model

    @classmethod
    def tiny(cls) -> Self:
        """See `Generator.tiny`."""
        settings = TrainConfig(steps=30, batch_size=16, learning_rate=3e-3, warmup=5)
        small = Config(hidden=16, layers=1, heads=2, solver_steps=3, batch=8, train=settings)
        return cls(small)

    def _network(self, seed: int) -> PatchTransformer:
        c, patches = self.config, self._patches
        width = self._profiles.profiler.width
        return seeded(
            seed,
            lambda: PatchTransformer(
                patches.width,
                patches.count,
                width,
                hidden=c.hidden,
                layers=c.layers,
                heads=c.heads,
                placed=not self._filled.waves,
            ),
        )


@dataclass(frozen=True)
class _Loss:
    """Squared error of the velocity, each axis weighted by a tempered share of its variance."""

    patches: torch.Tensor  # (n, count, width)
    context: torch.Tensor  # (n, k)
    weight: torch.Tensor  # (width,)
    jitter: float

    @classmethod
    def of(
        cls, coder: PatchCoder, patches: np.ndarray, profiles: np.ndarray, jitter: float
    ) -> Self:
        weight = torch.from_numpy(coder.scale.astype(np.float32))
        context = torch.from_numpy(profiles.astype(np.float32))
        return cls(torch.from_numpy(patches), context, weight / weight.mean(), jitter)

    def __call__(
        self, model: nn.Module, positions: torch.Tensor, noise: torch.Generator
    ) -> torch.Tensor:
        where, rows = positions.device, positions.cpu()
        data, context = self.patches[rows], self.context[rows]
        start = torch.randn(data.shape, generator=noise)
        # Times from a logit-normal: the middle of the way is the hardest part.
        time = torch.sigmoid(torch.randn(len(rows), generator=noise))
        context = context + self.jitter * torch.randn(context.shape, generator=noise)
        x = torch.lerp(start, data, time[:, None, None])
        velocity = model(x.to(where), time.to(where), context.to(where))
        error = (velocity - (data - start).to(where)) ** 2
        return (error * self.weight.to(where)).mean()


def _carried(
    net: nn.Module, start: torch.Tensor, context: torch.Tensor, steps: int
) -> torch.Tensor:
    """Return where the flow carries noise (b, count, width), by the midpoint rule."""
    x, size = start, 1.0 / steps
    for i in range(steps):
        time = torch.full((len(x),), i * size)
        middle = x + 0.5 * size * net(x, time, context)
        x = x + size * net(middle, time + 0.5 * size, context)
    return x
