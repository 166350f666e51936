"""Control: every count and every cell drawn alone; fidelity must fail it."""

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
from casemix.modalities.relational.data import ROOT
from casemix.modalities.relational.ordering import child_counts
from casemix.modalities.relational.records import Fitted, fitted_or_error
from casemix.modalities.relational.table_form import TableForm

_NAME = "relational/marginals"


class Marginals(Generator):
    """Resamples numbers of children and cells of each column, independently of all else.

    Keys hold, since a row belongs to the parent that it is drawn for. Conditions change nothing.
    """

    modality: ClassVar[str] = "relational"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS
    control: ClassVar[bool] = True

    def __init__(self) -> None:
        self.fitted: Fitted | None = None
        self.cells: dict[str, pd.DataFrame] = {}
        self.counts: dict[str, np.ndarray] = {}

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Keep each column's cells, in an order of its own (see `Generator.fit`)."""
        self.fitted = Fitted.check(data, given, self.honours, _NAME)
        tables = data.payload
        self.counts = {f.name: child_counts(f, tables) for f in tables.forms}
        self.cells = {}
        for form in tables.forms:
            frame = tables.frames[form.name][list(form.schema.names)]
            shuffled = {
                name: frame[name]
                .iloc[seeding.generator(seed, form.name, name).permutation(len(frame))]
                .to_numpy()
                for name in frame
            }
            self.cells[form.name] = pd.DataFrame(shuffled, index=range(len(frame)))
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return rows of unrelated cells (see `Generator.generate`)."""
        fitted = fitted_or_error(self.fitted, _NAME)
        asked = given.align(fitted.given)
        ids = np.array(asked.sample_ids, dtype=object)
        nowhere = np.full(len(ids), ROOT)
        above = {"": (ids, np.arange(len(ids)), nowhere)}
        frames = {}
        for form in fitted.forms:
            frames[form.name] = frame = self._rows(form, *above[form.parent], seed)
            keys = zip(frame["item"], frame["row"], strict=True)
            names = np.array([f"{ids[i]}/{form.name}/{r}" for i, r in keys], dtype=object)
            above[form.name] = names, frame["item"].to_numpy(), frame["row"].to_numpy()
        return fitted.samples(frames, asked)

    def _rows(
        self, form: TableForm, ids: np.ndarray, item: np.ndarray, row: np.ndarray, seed: int
    ) -> pd.DataFrame:
        known = self.counts[form.name]
        u = seeding.uniform(seed, list(ids), 1, stream=f"count {form.name}")[:, 0]
        owner = np.repeat(np.arange(len(ids)), known[np.floor(u * len(known)).astype(int)])
        keys = pd.DataFrame({"item": item[owner], "parent": row[owner]})
        keys.insert(1, "row", keys.groupby("item").cumcount())
        names = [
            f"{ids[o]}#{k}" for o, k in zip(owner, keys.groupby(owner).cumcount(), strict=True)
        ]
        v = seeding.uniform(seed, names, max(len(form.schema), 1), stream=f"cells {form.name}")
        pool = self.cells[form.name]
        places = np.floor(v * len(pool)).astype(int)  # (n, columns)
        for j, name in enumerate(form.schema.names):
            keys[name] = pool[name].to_numpy()[places[:, j]] if len(pool) else None
        return keys

    def save(self, folder: Path) -> None:
        """Write the model (see `Generator.save`)."""
        fitted = fitted_or_error(self.fitted, _NAME)
        with artifact.writing(folder, _NAME) as draft:
            draft.json("fitted", fitted.to_json())
            for k, form in enumerate(fitted.forms):
                draft.frame(f"cells-{k}", self.cells[form.name])
            counts = {f"{k}": self.counts[f.name] for k, f in enumerate(fitted.forms)}
            draft.arrays("counts", counts)

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model (see `Generator.load`)."""
        saved = artifact.reading(folder, _NAME, trust=trust)
        model = cls()
        model.fitted = Fitted.from_json(saved.json("fitted"))
        counts = saved.arrays("counts")
        for k, form in enumerate(model.fitted.forms):
            model.cells[form.name] = form.schema.coerce(saved.frame(f"cells-{k}"))
            model.counts[form.name] = counts[f"{k}"]
        return model

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance: there is nothing to make smaller."""
        return cls()
