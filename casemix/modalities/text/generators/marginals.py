"""Control: sentences of the training notes shuffled between patients, conditions unheeded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self

from casemix.core import artifact, seeding
from casemix.core.conditions import ALL_KINDS, Conditions, check_honoured
from casemix.core.fields import Kind, Schema
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.errors import FitError
from casemix.modalities.text.data import Notes
from casemix.modalities.text.tokens import Line, join, lines

NAME = "text/marginals"


class Marginals(Generator):
    """Each sentence is any patient's sentence of that section: right in parts, wrong as a whole.

    A negative control: fidelity and linkage metrics must fail it.
    """

    modality: ClassVar[str] = "text"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS
    control: ClassVar[bool] = True

    def __init__(self) -> None:
        self.schema = self.record_schema = Schema()
        self.notes: list[list[Line]] = []
        self.pool: dict[str, list[str]] = {}

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Collect the sentences of each section."""
        if given.sample_ids != list(data.sample_ids):
            raise FitError("The conditions belong to other rows than the notes.")
        check_honoured(given.schema, self.honours, NAME)
        self.schema, self.record_schema = given.schema, data.schema
        self._learn(data.payload.texts)
        return self

    def _learn(self, texts: tuple[str, ...]) -> None:
        self.notes = [lines(text) for text in texts]
        pool: dict[str, list[str]] = defaultdict(list)
        for note in self.notes:
            for part in note:
                pool[part.header] += part.sentences
        self.pool = dict(pool)

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Write one note per row."""
        if not self.notes:
            raise FitError(f"{NAME} is not fitted.", next_step="Call fit, or load a saved model.")
        given = given.align(self.schema)
        most = 1 + max(sum(len(p.sentences) for p in note) for note in self.notes)
        texts = []
        for u in seeding.uniform(seed, given.sample_ids, most, stream="marginals"):
            frame, draws = self.notes[int(u[0] * len(self.notes))], iter(u[1:])
            texts.append(join([self._shuffled(part, draws) for part in frame]))
        return Samples.answering("text", given, Notes(tuple(texts)), self.record_schema)

    def _shuffled(self, part: Line, draws: Iterator[float]) -> Line:
        pool = self.pool[part.header]
        return Line(part.header, tuple(pool[int(next(draws) * len(pool))] for _ in part.sentences))

    def save(self, folder: Path) -> None:
        """Write the training notes."""
        if not self.notes:
            raise FitError(f"{NAME} is not fitted, so there is nothing to save.")
        schemas = [self.schema.to_json(), self.record_schema.to_json()]
        with artifact.writing(folder, NAME) as draft:
            draft.json("notes", {"schemas": schemas, "texts": [join(n) for n in self.notes]})

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read what `save` wrote."""
        content = artifact.reading(folder, NAME).json("notes")
        made = cls()
        made.schema, made.record_schema = (Schema.from_json(s) for s in content["schemas"])
        made._learn(tuple(content["texts"]))
        return made

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance; it is always tiny."""
        return cls()
