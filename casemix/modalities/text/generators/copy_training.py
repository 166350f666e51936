"""Negative control: hands out training notes as they are; privacy metrics must fail it."""

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
from casemix.modalities.text.data import Notes
from casemix.modalities.text.form import NoteForm, fitted

_NAME = "text/copy_training"


class CopyTraining(Generator):
    """Draws one of the training notes, whatever is asked for."""

    modality: ClassVar[str] = "text"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS
    control: ClassVar[bool] = True

    def __init__(self) -> None:
        self._form: NoteForm | None = None
        self._notes: Notes

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Keep the training notes."""
        self._form = NoteForm.of(data, given, who=_NAME, least=1)
        self._notes = data.payload
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return drawn training notes."""
        form = fitted(self._form, _NAME)
        given.align(form.given)
        u = seeding.uniform(seed, given.sample_ids, 1, stream="copy")[:, 0]
        chosen = np.floor(u * len(self._notes)).astype(int)
        return form.samples(given, self._notes.take(chosen).texts)

    def save(self, folder: Path) -> None:
        """Write the training notes."""
        form = fitted(self._form, _NAME)
        with artifact.writing(folder, _NAME) as draft:
            draft.json("form", form.to_json())
            draft.frame("notes", pd.DataFrame({"text": self._notes.texts}))

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read what `save` wrote."""
        saved = artifact.reading(folder, _NAME)
        model = cls()
        model._form = NoteForm.from_json(saved.json("form"))
        model._notes = Notes(tuple(saved.frame("notes")["text"]))
        return model

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance; it has no settings."""
        return cls()
