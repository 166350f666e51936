"""Control: each column drawn by itself from its training cells."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import pandas as pd

from casemix.core import artifact, seeding
from casemix.core.conditions import ALL_KINDS, Conditions, check_honoured
from casemix.core.fields import Kind, Schema
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.errors import FitError
from casemix.modalities.tabular.data import Table

NAME = "tabular/marginals"


class Marginals(Generator):
    """Draw each column independently of the others and of the conditions; fidelity must fail it.

    Conditions are accepted and have no effect.
    """

    modality: ClassVar[str] = "tabular"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS
    control: ClassVar[bool] = True

    def __init__(self) -> None:
        self.schema = self.record_schema = Schema()
        self.table: Table | None = None

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Keep the rows."""
        if given.sample_ids != list(data.sample_ids):
            raise FitError("The conditions belong to other rows than the table.")
        check_honoured(given.schema, self.honours, NAME)
        self.schema, self.record_schema, self.table = given.schema, data.schema, data.payload
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return one row per row of ``given``."""
        table = self._fitted()
        given = given.align(self.schema)
        u = seeding.uniform(seed, given.sample_ids, len(table.schema), stream="marginals")
        rows = (u * len(table)).astype(int)  # (n, columns)
        columns = {
            f.name: table.frame[f.name].to_numpy()[rows[:, j]] for j, f in enumerate(table.schema)
        }
        payload = Table(pd.DataFrame(columns), table.schema)
        return Samples.answering("tabular", given, payload, self.record_schema)

    def save(self, folder: Path) -> None:
        """Write the training rows."""
        table = self._fitted()
        schemas = [s.to_json() for s in (table.schema, self.schema, self.record_schema)]
        with artifact.writing(folder, NAME) as draft:
            draft.frame("rows", table.frame)
            draft.json("schemas", {"schemas": schemas})

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read what `save` wrote."""
        saved = artifact.reading(folder, NAME)
        own, given, records = (Schema.from_json(s) for s in saved.json("schemas")["schemas"])
        made = cls()
        made.table, made.schema, made.record_schema = (
            Table(saved.frame("rows"), own),
            given,
            records,
        )
        return made

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance; it is always tiny."""
        return cls()

    def _fitted(self) -> Table:
        if self.table is None:
            raise FitError(f"{NAME} is not fitted.", next_step="Call fit, or load a saved model.")
        return self.table
