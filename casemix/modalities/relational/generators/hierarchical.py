"""Linked tables from parents to children: how many, then row after row; the default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from casemix.core import artifact, registry
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.core.seeding import child
from casemix.modalities.relational.data import LinkedTables
from casemix.modalities.relational.ordering import in_time_order, parent_positions
from casemix.modalities.relational.records import Fitted, fitted_or_error
from casemix.modalities.relational.sibling_tables import with_tables_before
from casemix.modalities.relational.steps import rows_as_parents
from casemix.modalities.relational.subject_context import SubjectContext
from casemix.modalities.relational.table_model import TableModel

_NAME = "relational/hierarchical"


@dataclass(frozen=True)
class Config:
    """How the tables are learnt.

    Args:
        tabular: registry name of the tabular generator that learns counts and rows.
        options: its settings; by default its own.
        rows: most rows of one table that are learnt, drawn at random.
    """

    tabular: str = "tabular/trees"
    options: Mapping[str, Any] = field(default_factory=dict)
    rows: int = 6000


class Hierarchical(Generator):
    """Draws tables from parents to children with tabular generators.

    Subjects come first: conditions that are left open are drawn once per subject. Then table by
    table, in their order: the number of children of each parent row given its columns, the
    subject's conditions, what it has in the tables before (how many rows, and the levels of the
    first), and the number that the sibling parent before has; then the children one after another
    in the order of time, each given its parent, its position, the time so far and the sibling
    before. Times are drawn as steps after the sibling or the start, so
    that order, and where the form says so containment in the parent's span, hold by construction;
    a row that would begin after its parent's end is placed uniformly in what is left. Levels that
    never repeat among siblings in training do not repeat either; a parent that finds no new one
    stops early. All children of one position are drawn together.
    """

    modality: ClassVar[str] = "relational"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.fitted: Fitted | None = None
        self.context: SubjectContext | None = None
        self.models: dict[str, TableModel] = {}

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Learn every table (see `Generator.fit`)."""
        self.fitted = Fitted.check(data, given, self.honours, _NAME)
        tabular = self._tabular()
        self.context = SubjectContext.fit(tabular, given, seed=child(seed, "context"))
        tables = in_time_order(data.payload)
        above = {"": self.context.as_parents(given)}
        self.models = {}
        for form in tables.forms:
            parent, frame = parent_positions(form, tables), tables.frames[form.name]
            parents = with_tables_before(form, tables, above[form.parent])
            self.models[form.name] = TableModel.fit(
                tabular,
                form,
                frame,
                parents,
                parent,
                rows=self.config.rows,
                seed=child(seed, form.name),
            )
            ids = np.array(given.sample_ids, dtype=object)
            above[form.name] = rows_as_parents(form, frame, above[form.parent], parent, ids)
        return self

    def _tabular(self) -> Generator:
        plugin = registry.load("generators", self.config.tabular)
        settings = self.config.options
        made: Generator = plugin(registry.config(plugin, settings)) if settings else plugin()
        return made

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return all tables of the subjects asked for (see `Generator.generate`)."""
        fitted = fitted_or_error(self.fitted, _NAME)
        assert self.context is not None
        ids = np.array(given.sample_ids, dtype=object)
        above = {"": self.context.complete(given, seed=child(seed, "context"))}
        frames: dict[str, pd.DataFrame] = {}
        for form in fitted.forms:
            done = tuple(f for f in fitted.forms if f.name in frames)
            parents = above[form.parent]
            if done:
                made = LinkedTables(done, frames, len(given))
                parents = with_tables_before(form, made, parents)
            frame, parent = self.models[form.name].draw(parents, seed=child(seed, form.name))
            frames[form.name] = frame
            above[form.name] = rows_as_parents(form, frame, above[form.parent], parent, ids)
        return fitted.samples(frames, given)

    def save(self, folder: Path) -> None:
        """Write the model (see `Generator.save`)."""
        fitted = fitted_or_error(self.fitted, _NAME)
        assert self.context is not None
        with artifact.writing(folder, _NAME) as draft:
            draft.json("config", asdict(self.config))
            draft.json("fitted", fitted.to_json())
            self.context.save(draft)
            for number, form in enumerate(fitted.forms):
                self.models[form.name].save(draft, f"table-{number}")

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model (see `Generator.load`)."""
        saved = artifact.reading(folder, _NAME, trust=trust)
        model = cls(Config(**saved.json("config")))
        model.fitted = Fitted.from_json(saved.json("fitted"))
        tabular = registry.load("generators", model.config.tabular)
        model.context = SubjectContext.load(saved, tabular, trust=trust)
        model.models = {
            form.name: TableModel.load(saved, f"table-{number}", tabular, trust=trust)
            for number, form in enumerate(model.fitted.forms)
        }
        return model

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance with few trees."""
        return cls(Config(options={"trees": 2, "given_trees": 1}, rows=500))
