"""Negative control: hands out training histories as they are; privacy metrics must fail it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from casemix.core import artifact, seeding
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.modalities.events.data import Events
from casemix.modalities.events.form import EventForm, fitted
from casemix.modalities.events.stored import read_events, write_events

_NAME = "events/copy_training"


class CopyTraining(Generator):
    """Draws one of the training histories, whatever is asked for."""

    modality: ClassVar[str] = "events"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS
    control: ClassVar[bool] = True

    def __init__(self) -> None:
        self._form: EventForm | None = None
        self._events: Events

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Keep the training histories."""
        self._form = EventForm.of(data, given, who=_NAME, least=1)
        self._events = data.payload
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return drawn training histories."""
        form = fitted(self._form, _NAME)
        given.align(form.given)
        u = seeding.uniform(seed, given.sample_ids, 1, stream="copy")[:, 0]
        chosen = np.floor(u * len(self._events)).astype(int)
        return form.samples(given, self._events.take(chosen).frame)

    def save(self, folder: Path) -> None:
        """Write the training histories."""
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
