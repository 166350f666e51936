"""Negative control: every event drawn on its own; fidelity and linkage metrics must fail it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from casemix.core import artifact, seeding
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.modalities.events.data import Events, no_events
from casemix.modalities.events.form import EventForm, fitted
from casemix.modalities.events.stored import read_events, write_events

_NAME = "events/marginals"


class Marginals(Generator):
    """Fills the times of a drawn history with events drawn from those of anyone.

    There are as many events at as many times as in training histories, and each code with its
    value is as frequent; but no event depends on another one, nor on the conditions.
    """

    modality: ClassVar[str] = "events"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS
    control: ClassVar[bool] = True

    def __init__(self) -> None:
        self._form: EventForm | None = None
        self._events: Events

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Keep the training events."""
        self._form = EventForm.of(data, given, who=_NAME, least=1)
        self._events = data.payload
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return histories of independent events."""
        form = fitted(self._form, _NAME)
        given.align(form.given)
        sizes = np.diff(self._events.offsets)
        noise = seeding.uniform(seed, given.sample_ids, 1 + int(sizes.max()), stream="marginals")
        frames = self._events.take(np.floor(noise[:, 0] * len(sizes)).astype(int)).frame
        place = frames.groupby("item").cumcount().to_numpy()
        drawn = noise[frames["item"].to_numpy(), 1 + place] * len(self._events.frame)
        pool = self._events.frame.iloc[np.floor(drawn).astype(int)].reset_index(drop=True)
        made = pd.DataFrame({"item": frames["item"], "hours": frames["hours"]})
        made = made.assign(code=pool["code"], value=pool["value"]) if len(made) else no_events()
        return form.samples(given, made)

    def save(self, folder: Path) -> None:
        """Write the training events."""
        form = fitted(self._form, _NAME)
        with artifact.writing(folder, _NAME) as draft:
            draft.json("form", form.to_json())
            write_events(draft, self._events)

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read what `save` wrote."""
        saved = artifact.reading(folder, _NAME)
        model = cls()
        model._form = EventForm.from_json(saved.json("form"))
        model._events = read_events(saved)
        return model

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance; it has no settings."""
        return cls()
