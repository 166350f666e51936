"""Negative control: every sentence drawn on its own; fidelity and linkage metrics must fail it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self

import pandas as pd

from casemix.core import artifact, seeding
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.modalities.text.form import NoteForm, fitted
from casemix.modalities.text.tokens import Line, join, lines

_NAME = "text/marginals"


class Marginals(Generator):
    """Fills the sections of a drawn note with sentences drawn from the same section of any note.

    Each section has the right sentences in the right shares, but the sentences of a note do not
    belong together, and nothing depends on the conditions.
    """

    modality: ClassVar[str] = "text"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS
    control: ClassVar[bool] = True

    def __init__(self) -> None:
        self._form: NoteForm | None = None
        self._texts: tuple[str, ...]

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Keep the training notes' sentences."""
        self._form = NoteForm.of(data, given, who=_NAME, least=1)
        self._texts = data.payload.texts
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return notes of independent sentences."""
        form = fitted(self._form, _NAME)
        given.align(form.given)
        cut = [lines(text) for text in self._texts]
        pool: dict[str, list[str]] = defaultdict(list)
        for line in (line for parts in cut for line in parts):
            pool[line.header] += line.sentences
        longest = max(sum(len(line.sentences) for line in parts) for parts in cut)
        noise = seeding.uniform(seed, given.sample_ids, longest + 1, stream="marginals")
        texts = []
        for row in noise:
            frame, numbers = cut[int(row[0] * len(cut))], iter(row[1:])
            parts = [(p.header, _drawn(pool[p.header], len(p.sentences), numbers)) for p in frame]
            texts.append(join([Line(header, sentences) for header, sentences in parts]))
        return form.samples(given, texts)

    def save(self, folder: Path) -> None:
        """Write the training notes."""
        form = fitted(self._form, _NAME)
        with artifact.writing(folder, _NAME) as draft:
            draft.json("form", form.to_json())
            draft.frame("notes", pd.DataFrame({"text": self._texts}))

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read what `save` wrote."""
        saved = artifact.reading(folder, _NAME)
        model = cls()
        model._form = NoteForm.from_json(saved.json("form"))
        model._texts = tuple(saved.frame("notes")["text"])
        return model

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance; it has no settings."""
        return cls()


def _drawn(pool: list[str], count: int, numbers: Iterator[float]) -> tuple[str, ...]:
    return tuple(pool[int(next(numbers) * len(pool))] for _ in range(count))
