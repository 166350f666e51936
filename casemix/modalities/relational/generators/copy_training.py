"""Control: the tables of a training subject come out as they are; privacy must fail it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pyarrow.parquet as pq

from casemix.core import artifact, seeding
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.modalities.relational.data import LinkedTables
from casemix.modalities.relational.records import Fitted, fitted_or_error

_NAME = "relational/copy_training"


class CopyTraining(Generator):
    """Returns all rows of one training subject, chosen by noise.

    Conditions are accepted and have no effect: it is a control that privacy metrics must fail.
    """

    modality: ClassVar[str] = "relational"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS
    control: ClassVar[bool] = True

    def __init__(self) -> None:
        self.fitted: Fitted | None = None
        self.tables: LinkedTables | None = None

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Keep the training records (see `Generator.fit`)."""
        self.fitted = Fitted.check(data, given, self.honours, _NAME)
        self.tables = data.payload
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return training records (see `Generator.generate`)."""
        fitted = fitted_or_error(self.fitted, _NAME)
        assert self.tables is not None
        asked = given.align(fitted.given)
        u = seeding.uniform(seed, asked.sample_ids, 1, stream="record")[:, 0]
        chosen = self.tables.take(np.floor(u * len(self.tables)).astype(int))
        return fitted.samples(chosen.frames, asked)

    def save(self, folder: Path) -> None:
        """Write the model (see `Generator.save`)."""
        fitted = fitted_or_error(self.fitted, _NAME)
        assert self.tables is not None
        with artifact.writing(folder, _NAME) as draft:
            draft.json("fitted", fitted.to_json())
            pq.write_table(self.tables.to_table(), draft.path / "training.parquet")

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model (see `Generator.load`)."""
        saved = artifact.reading(folder, _NAME, trust=trust)
        model = cls()
        model.fitted = Fitted.from_json(saved.json("fitted"))
        model.tables = LinkedTables.from_table(pq.read_table(saved.path / "training.parquet"))
        return model

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance: there is nothing to make smaller."""
        return cls()
