"""A fitted network of event tokens: fitting, drawing, continuing, saving."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from casemix.core import seeding
from casemix.core.artifact import Draft, Saved
from casemix.core.conditions import Conditions
from casemix.core.encoding import ConditionEncoder
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.core.training import load_state, seeded, state_arrays
from casemix.errors import ConditionError
from casemix.modalities.events.calibration import calibrate
from casemix.modalities.events.data import Events
from casemix.modalities.events.decode import Decoding, draw
from casemix.modalities.events.event_network import EventNetwork
from casemix.modalities.events.fitting import Histories, fit_network
from casemix.modalities.events.form import EventForm
from casemix.modalities.events.grammar import Grammar
from casemix.modalities.events.rules import is_death
from casemix.modalities.events.stream_settings import StreamSettings
from casemix.modalities.events.tokens import Tokenised, Tokeniser

_LEAST = 8  # histories

#: (tokens, width of the encoded context) -> an untrained network.
Build = Callable[[Tokeniser, int], EventNetwork]


@dataclass(frozen=True)
class StreamModel:
    """A fitted network with its tokens.

    Args:
        settings: see `StreamSettings`.
        form: of the training records.
        encoder: of the conditions.
        tokeniser: of the events.
        network: trained.
        left_out: training events that the tokens do not tell, by reason.
        held_out: loss of held-out subjects in nats per token after each pass, and at the end.
    """

    settings: StreamSettings
    form: EventForm
    encoder: ConditionEncoder
    tokeniser: Tokeniser
    network: EventNetwork
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
        histories = Histories(told, features, owners)
        held_out = fit_network(network, histories, settings, seed=seed, progress=progress)
        calibrate(network, tokeniser, histories, settings, seed=seeding.child(seed, "calibration"))
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
