"""Control: every column drawn alone, so nothing depends on anything; fidelity must fail it."""

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
from casemix.modalities.tabular.records import (
    Fitted,
    check_fit,
    columns_of,
    fitted_or_error,
    records,
    with_given,
)

_NAME = "tabular/marginals"


class Marginals(Generator):
    """Resamples each column from its training cells, independently of all else.

    Cells given for a column of the table come out as given; other conditions change nothing.
    """

    modality: ClassVar[str] = "tabular"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS
    control: ClassVar[bool] = True

    def __init__(self) -> None:
        self.fitted: Fitted | None = None
        self.cells = pd.DataFrame()

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Keep each column's cells, in an order of its own (see `Generator.fit`)."""
        self.fitted = check_fit(data, given, self.honours, _NAME, codes=True)
        table = data.payload.frame
        shuffled = {
            name: table[name].iloc[seeding.generator(seed, name).permutation(len(table))].tolist()
            for name in table
        }
        self.cells = columns_of(shuffled, self.fitted.table)
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return rows of unrelated cells (see `Generator.generate`)."""
        fitted = fitted_or_error(self.fitted, _NAME)
        asked = given.align(fitted.given)
        u = seeding.uniform(seed, asked.sample_ids, len(fitted.table), stream="cells")
        rows = np.floor(u * len(self.cells)).astype(int)  # (n, columns)
        drawn = {
            f.name: self.cells[f.name].iloc[rows[:, j]].tolist() for j, f in enumerate(fitted.table)
        }
        return records(with_given(columns_of(drawn, fitted.table), asked), asked, fitted)

    def save(self, folder: Path) -> None:
        """Write the model (see `Generator.save`)."""
        fitted = fitted_or_error(self.fitted, _NAME)
        with artifact.writing(folder, _NAME) as draft:
            draft.json("fitted", fitted.to_json())
            draft.frame("cells", self.cells)

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model (see `Generator.load`)."""
        saved = artifact.reading(folder, _NAME, trust=trust)
        model = cls()
        model.fitted = Fitted.from_json(saved.json("fitted"))
        model.cells = model.fitted.table.coerce(saved.frame("cells"))
        return model

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance: there is nothing to make smaller."""
        return cls()
