"""Control: training notes handed out unchanged."""

from __future__ import annotations

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

NAME = "text/copy_training"


class CopyTraining(Generator):
    """Return training notes, chosen by noise; privacy metrics must fail it."""

    modality: ClassVar[str] = "text"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS
    control: ClassVar[bool] = True

    def __init__(self) -> None:
        self.schema = self.record_schema = Schema()
        self.texts: tuple[str, ...] = ()

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Keep the notes."""
        if given.sample_ids != list(data.sample_ids):
            raise FitError("The conditions belong to other rows than the notes.")
        check_honoured(given.schema, self.honours, NAME)
        self.schema, self.record_schema = given.schema, data.schema
        self.texts = data.payload.texts
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return one training note per row."""
        if not self.texts:
            raise FitError(f"{NAME} is not fitted.", next_step="Call fit, or load a saved model.")
        given = given.align(self.schema)
        u = seeding.uniform(seed, given.sample_ids, 1, stream="copy")[:, 0]
        texts = tuple(self.texts[int(x * len(self.texts))] for x in u)
        return Samples.answering("text", given, Notes(texts), self.record_schema)

    def save(self, folder: Path) -> None:
        """Write the training notes."""
        if not self.texts:
            raise FitError(f"{NAME} is not fitted, so there is nothing to save.")
        schemas = [self.schema.to_json(), self.record_schema.to_json()]
        with artifact.writing(folder, NAME) as draft:
            draft.json("notes", {"schemas": schemas, "texts": list(self.texts)})

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read what `save` wrote."""
        content = artifact.reading(folder, NAME).json("notes")
        made = cls()
        made.schema, made.record_schema = (Schema.from_json(s) for s in content["schemas"])
        made.texts = tuple(content["texts"])
        return made

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance; it is always tiny."""
        return cls()
