"""What networks of event tokens share: fitting, held-out loss, drawing, continuing, saving."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch
from torch import nn

from casemix.core import seeding
from casemix.core.artifact import Draft, Saved
from casemix.core.conditions import Conditions
from casemix.core.encoding import ConditionEncoder
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.core.training import Loss, TrainConfig, load_state, seeded, state_arrays, train
from casemix.errors import ConditionError
from casemix.modalities.events.batches import Batches, held_out_loss
from casemix.modalities.events.data import Events
from casemix.modalities.events.decode import Decoding, draw
from casemix.modalities.events.form import EventForm
from casemix.modalities.events.grammar import Grammar
from casemix.modalities.events.rules import is_death
from casemix.modalities.events.tokens import Tokenised, Tokeniser

_LEAST = 8  # histories
_HELD_OUT, _MOST_HELD_OUT = 0.1, 400  # share and number of subjects that stop the training

#: (tokens, width of the encoded context) -> an untrained network.
Build = Callable[[Tokeniser, int], nn.Module]


@dataclass(frozen=True)
class StreamSettings:
    """How histories are told, learnt and drawn.

    Args:
        longest: most tokens of a history; longer training histories are cut, without an end.
        value_bins: most bins of a code's values.
        gap_bins: most bins of the hours between two times.
        least: subjects with a code (or at or beyond an extreme value), before it may come out.
        epochs: most passes over the histories; few histories get fewer steps.
        budget: tokens of a training batch.
        hidden: share of the context's cells that training hides, so that any may be unspecified.
        temperature: divides the logits; 1 = as learnt.
        batch: histories drawn at a time; part of what makes a sample bit-identical.
        train: the training loop; a row of its batches is one batch of ``budget`` tokens.
    """

    longest: int = 320
    value_bins: int = 12
    gap_bins: int = 24
    least: int = 5
    epochs: int = 120
    budget: int = 1024
    hidden: float = 0.1
    temperature: float = 1.0
    batch: int = 256
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=4500, batch_size=1, learning_rate=5e-3, weight_decay=0.02, ema_decay=0.998
        )
    )


def stream_settings(content: Mapping[str, object]) -> StreamSettings:
    """Rebuild settings from JSON."""
    train = TrainConfig(**content["train"])  # type: ignore[arg-type]
    return StreamSettings(**{**content, "train": train})  # type: ignore[arg-type]


@dataclass(frozen=True)
class StreamModel:
    """A fitted network with its tokens.

    Args:
        settings: see `StreamSettings`.
        form: of the training records.
        encoder: of the conditions.
        tokeniser: of the events.
        network: a trained `casemix.modalities.events.decode.NextToken`.
        left_out: training events that the tokens do not tell, by reason.
        held_out: loss of held-out subjects in nats per token after each pass, and at the end.
    """

    settings: StreamSettings
    form: EventForm
    encoder: ConditionEncoder
    tokeniser: Tokeniser
    network: nn.Module
    left_out: Mapping[str, int]
    held_out: tuple[float, ...]

    @classmethod
    def fit(
        cls,
        data: Samples,
        given: Conditions,
        build: Build,
        settings: StreamSettings,
        *,
        who: str,
        seed: int,
        progress: Progress | None,
    ) -> StreamModel:
        """Tell the histories as tokens and train a network on them.

        The network never sees the histories of some held-out subjects; the weights that explain
        these best are kept, so that few subjects are not learnt by heart.
        """
        form = EventForm.of(data, given, who=who, least=_LEAST)
        owners = pd.factorize(data.subject_ids)[0]
        tokeniser = Tokeniser.fit(
            data.payload,
            owners,
            value_bins=settings.value_bins,
            gap_bins=settings.gap_bins,
            least=settings.least,
        )
        encoder = ConditionEncoder.fit(given)
        told, features = tokeniser.encode(data.payload), _features(encoder, given)
        network = seeded(seed, lambda: build(tokeniser, features.shape[1]))
        held_out = _train(network, told, features, owners, settings, seed, progress)
        cut = int((np.diff(told.offsets) > settings.longest).sum())
        names = set(tokeniser.codes.names)
        form = replace(form, units={c: u for c, u in form.units.items() if c in names})
        left_out = {**told.left_out, "histories_cut": cut}
        return cls(settings, form, encoder, tokeniser, network.eval(), left_out, held_out)

    def generate(self, given: Conditions, *, seed: int, progress: Progress | None) -> Samples:
        """See `Generator.generate`."""
        return self.form.samples(given, self._draw(given, seed, progress, None, math.inf))

    def continue_(
        self,
        history: Samples,
        given: Conditions,
        *,
        seed: int,
        until_hours: float | None,
        progress: Progress | None,
    ) -> Samples:
        """Return given histories followed by drawn events; see `Transformer.continue_`."""
        if list(history.sample_ids) != given.sample_ids:
            raise ConditionError(
                "The conditions belong to other records than the histories.",
                given=f"{len(given)} rows of conditions for {len(history)} histories",
                next_step="Build them with Cohort.conditions, and take the same rows of both.",
            )
        past: Events = history.payload
        until = math.inf if until_hours is None else until_hours
        told = self.tokeniser.encode(past, end=False)
        later = self._draw(given, seed, progress, told, until)
        # The model may not know of death, where fewer subjects died than its guard lets through.
        dead = past.frame.loc[past.frame["code"].map(is_death), "item"]
        later = later[(later["hours"] <= until) & ~later["item"].isin(dead)]
        whole = pd.concat([past.frame, later], ignore_index=True)
        whole = whole.sort_values(["item", "hours"], kind="stable")
        made = self.form.samples(given, whole)
        units = {**past.units, **made.payload.units}
        return replace(made, payload=Events(whole, len(given), units))

    def _draw(
        self,
        given: Conditions,
        seed: int,
        progress: Progress | None,
        told: Tokenised | None,
        until: float,
    ) -> pd.DataFrame:
        own = self.settings
        with (progress or Progress()).step("events", len(given)) as bar, torch.inference_mode():
            return draw(
                self.network,
                Grammar(self.tokeniser),
                _features(self.encoder, given),
                Decoding(own.temperature, own.longest, own.batch, until),
                ids=given.sample_ids,
                seed=seed,
                bar=bar,
                told=told,
            )

    def write(self, draft: Draft, *, but: tuple[str, ...] = ()) -> None:
        """Write form, tokens and weights; weights named in ``but`` are copies of others."""
        draft.json("form", self.form.to_json())
        draft.json("encoder", self.encoder.to_json())
        about = {"left_out": dict(self.left_out), "held_out": list(self.held_out)}
        draft.json("fit", about)
        self.tokeniser.write(draft)
        weights = state_arrays(self.network)
        draft.arrays("weights", {k: w for k, w in weights.items() if k not in but})

    @classmethod
    def read(
        cls,
        saved: Saved,
        build: Build,
        settings: StreamSettings,
        *,
        copies: Mapping[str, str] | None = None,
    ) -> StreamModel:
        """Read what `write` wrote; ``copies`` names the source of each weight left out."""
        encoder = ConditionEncoder.from_json(saved.json("encoder"))
        tokeniser, about = Tokeniser.read(saved), saved.json("fit")
        weights = saved.arrays("weights")
        weights |= {name: weights[source] for name, source in (copies or {}).items()}
        network = seeded(0, lambda: build(tokeniser, 2 * encoder.width))
        load_state(network, weights)
        form = EventForm.from_json(saved.json("form"))
        held_out = tuple(about["held_out"])
        return cls(settings, form, encoder, tokeniser, network.eval(), about["left_out"], held_out)


def _features(encoder: ConditionEncoder, given: Conditions) -> np.ndarray:
    """Return what a network reads of the context, float32 (n, d)."""
    values, known = encoder.encode(given)
    return np.concatenate([values * known, known], axis=1)


def _train(
    network: nn.Module,
    told: Tokenised,
    features: np.ndarray,
    owners: np.ndarray,
    settings: StreamSettings,
    seed: int,
    progress: Progress | None,
) -> tuple[float, ...]:
    held = _held_out(owners, seed)
    known, unknown = (
        Batches.of(
            told,
            features,
            np.flatnonzero(rows),
            longest=settings.longest,
            budget=settings.budget,
            seed=seed,
        )
        for rows in (~held, held)
    )
    config = settings.train
    steps = min(config.steps, settings.epochs * len(known))
    # Few steps are not to be spent on warming up.
    config = replace(config, steps=steps, warmup=min(config.warmup, steps // 10))
    best = _Best(known, unknown, settings.hidden)
    train(network, best.loss, len(known), config, seed=seed, progress=progress, label="events")
    best.settle(network)
    return tuple(best.seen)


def _held_out(owners: np.ndarray, seed: int) -> np.ndarray:
    """Return which histories belong to held-out subjects, bool (n,)."""
    subjects = int(owners.max()) + 1
    count = min(round(_HELD_OUT * subjects), _MOST_HELD_OUT, subjects - 1)
    drawn = seeding.generator(seed, "held out").permutation(subjects)[:count]
    return np.isin(owners, drawn)


class _Best:
    """Training loss that watches the held-out histories and keeps the weights that suit them."""

    def __init__(self, known: Batches, unknown: Batches, hidden: float) -> None:
        self._known, self._unknown, self._hidden = known, unknown, hidden
        self._share = len(known) / max(known.count, 1)
        self._calls = 0
        self._lowest = math.inf
        self._weights: dict[str, torch.Tensor] = {}
        self.seen: list[float] = []

    @property
    def loss(self) -> Loss:
        """The loss of `casemix.core.training.train`, whose rows are batches."""

        def compute(model: nn.Module, rows: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
            if self._calls and self._calls % len(self._known) == 0:
                self._look(model)
            self._calls += 1
            nll = [self._known.nll(model, int(i), noise, self._hidden) for i in rows]
            return torch.stack(nll).mean() * self._share

        return compute

    def _look(self, model: nn.Module) -> None:
        if not len(self._unknown):
            return
        now = held_out_loss(model, self._unknown)
        self.seen.append(now)
        if now < self._lowest:
            self._lowest = now
            self._weights = {k: v.detach().cpu().clone() for k, v in model.state_dict().items()}

    def settle(self, model: nn.Module) -> None:
        """Put the best weights into the model; those at hand are averaged and usually best."""
        self._look(model)
        if self._weights:
            model.load_state_dict(self._weights)
