"""An example from another package: normal noise around each number column's mean."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from casemix.core import artifact, seeding
from casemix.core.conditions import ALL_KINDS, Conditions, check_honoured
from casemix.core.fields import Kind, Schema
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.registry import payload_type
from casemix.core.samples import KEYS, Samples
from casemix.errors import FitError

NAME = "tabular/example_mean"


class ExampleMean(Generator):
    """Draw each number from a normal distribution and each level from its shares."""

    modality: ClassVar[str] = "tabular"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS

    def __init__(self) -> None:
        self.frame: pd.DataFrame | None = None
        self.schema = self.record_schema = self.given_schema = Schema()

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Keep the table."""
        if given.sample_ids != list(data.sample_ids):
            raise FitError("The conditions belong to other rows than the data.")
        check_honoured(given.schema, self.honours, NAME)
        self.frame, self.schema = data.payload.frame, data.payload.schema
        self.record_schema, self.given_schema = data.schema, given.schema
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Draw one row per condition row."""
        if self.frame is None:
            raise FitError("The generator is not fitted.", next_step="Call fit, or load one.")
        given = given.align(self.given_schema)
        noise = seeding.normal(seed, given.sample_ids, (len(self.schema),))
        columns = {}
        for j, f in enumerate(self.schema):
            column, z = self.frame[f.name], noise[:, j]
            if f.kind is Kind.NUMERIC:
                low, high = f.range or (-np.inf, np.inf)
                columns[f.name] = np.clip(column.mean() + column.std() * z, low, high)
            else:
                columns[f.name] = [f.levels[int(abs(v) * 7) % len(f.levels)] for v in z]
        rows = given.rows[[*KEYS, *(n for n in self.record_schema.names if n in given.schema)]]
        frame = pd.DataFrame(columns, index=given.rows.index)
        payload = payload_type("tabular")(frame, self.schema)
        return Samples("tabular", rows, payload, self.record_schema)

    def save(self, folder: Path) -> None:
        """Write the table and the schemas."""
        assert self.frame is not None
        with artifact.writing(folder, NAME) as draft:
            draft.frame("table", self.frame)
            schemas = (self.schema, self.record_schema, self.given_schema)
            draft.json("schemas", {"schemas": [s.to_json() for s in schemas]})

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read what `save` wrote."""
        saved = artifact.reading(folder, NAME)
        made = cls()
        made.frame = saved.frame("table")
        schemas = [Schema.from_json(s) for s in saved.json("schemas")["schemas"]]
        made.schema, made.record_schema, made.given_schema = schemas
        return made

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance; it is always tiny."""
        return cls()
