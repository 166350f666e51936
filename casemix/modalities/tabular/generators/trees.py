"""Sequential forests: each column given those before it, any cells fixed; the default."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from casemix.core import artifact
from casemix.core.code_columns import CodeColumns
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Field, Kind, Schema
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.modalities.tabular.rare_values import RareValues
from casemix.modalities.tabular.records import Fitted, check_fit, fitted_or_error, records
from casemix.modalities.tabular.sequential import saved as saved_model
from casemix.modalities.tabular.sequential.column import from_cells, to_cells
from casemix.modalities.tabular.sequential.forest import TreeConfig
from casemix.modalities.tabular.sequential.joint import JointModel, fit_joint
from casemix.modalities.tabular.sequential.particles import draw

_NAME = "tabular/trees"
_MANY_LEVELS = 100
_LEAST = 5  # subjects that share what comes out
_MANY_ROWS = 20_000  # with fewer, leaves are larger: single rows would show in them
_LARGER = 4.0  # at most so many times
_LARGEST_SHARE = 1 / 40  # of the rows in one leaf, or a tree of few rows would be one leaf


@dataclass(frozen=True)
class Config:
    """How the trees are grown.

    Args:
        trees: most trees per column; many rows need fewer, see ``rows``.
        rows: rows that the trees of one column see together; one tree at least is grown.
        leaf: least rows per leaf where rows are many; up to four times as many where they are few.
            Larger is smoother and more private.
        sample: share of the rows that each of several trees sees; smaller is more private.
        features: share of the columns tried at each split.
        given_trees: most trees of a field that is only ever given, not generated.
    """

    trees: int = 24
    rows: int = 250_000
    leaf: int = 6
    sample: float = 0.4
    features: float = 1.0
    given_trees: int = 2


class Trees(Generator):
    """Draws one column after the other from forests whose leaves hold smoothed distributions.

    Column by column as in synthpop (Nowok, Raab and Dibben, J Stat Softw 2016; 74:11), with
    - a forest instead of one tree, whose leaves are read as weights over training rows
      (Meinshausen, Quantile regression forests, JMLR 2006) and smoothed by a kernel;
    - a cross-validated ridge score as one more predictor, and as the centre of numbers that it
      predicts well, so that smooth dependence on many conditions is kept when rows are few;
    - missing cells and values that many rows share as states of their own;
    - values that fewer than five subjects have kept out (see `rare_values`), and a list of codes as
      one column per code that five subjects have;
    - any cells fixed: those of conditions and those of the table's own columns. Cells that are
      not given are drawn given those that are, by particles, without rejection.
    """

    modality: ClassVar[str] = "tabular"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.fitted: Fitted | None = None
        self.rare: RareValues | None = None
        self.codes = CodeColumns()
        self.model: JointModel | None = None

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Learn the joint distribution of conditions and columns (see `Generator.fit`)."""
        fitted = check_fit(data, given, self.honours, _NAME, codes=True)
        every = joined(fitted)
        own = data.payload.frame.set_axis(given.rows.index, axis=0)
        only_given = [n for n in given.schema.names if n not in fitted.table]
        rows = pd.concat([own, given.rows[only_given]], axis=1)
        subjects = given.rows["subject_id"]
        self.rare = RareValues.fit(rows, every, subjects, least=_LEAST)
        rows, every = self.rare.hide(rows), self.rare.schema
        self.codes = CodeColumns.fit(rows, every, subjects, least=_LEAST)
        rows, table = (
            self.codes.expand(rows, every),
            self.codes.schema(every.pick(fitted.table.names)),
        )
        fields = chain(table, self.codes.schema(every), rows)
        cells = np.stack([to_cells(f, rows[f.name]) for f in fields], axis=1)
        configs = [self._trees(len(cells), f.name in table) for f in fields]
        self.model = fit_joint(
            fields,
            cells,
            configs,
            owners=pd.factorize(subjects)[0],
            seed=seed,
            progress=progress or Progress(),
        )
        self.fitted = fitted
        return self

    def _trees(self, n: int, own: bool) -> TreeConfig:
        c = self.config
        trees = max(1, min(c.rows // n, c.trees if own else c.given_trees))
        larger = c.leaf * float(np.clip((_MANY_ROWS / n) ** 0.5, 1.0, _LARGER))
        leaf = round(min(larger, max(c.leaf, n * _LARGEST_SHARE)))
        return TreeConfig(trees, leaf, 1.0 if trees == 1 else c.sample, c.features)

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return one row per condition; given cells come out exactly (see `Generator`)."""
        fitted = fitted_or_error(self.fitted, _NAME)
        asked = given.align(fitted.given)
        assert self.model is not None
        assert self.rare is not None
        known = self.codes.conditions(self.rare.hide_conditions(asked))
        fields = [link.column.field for link in self.model.links]
        fixed = np.full((len(asked), len(fields)), np.nan)
        for j, field in enumerate(fields):
            if field.name in known.schema:
                fixed[:, j] = to_cells(field, known.rows[field.name])
        cells = draw(self.model, fixed, asked.sample_ids, seed)
        columns = {f.name: from_cells(f, cells[:, j]) for j, f in enumerate(fields)}
        frame = self.codes.collapse(pd.DataFrame(columns), joined(fitted))[list(fitted.table.names)]
        return records(self.rare.show(frame, asked), asked, fitted)

    def save(self, folder: Path) -> None:
        """Write the model (see `Generator.save`)."""
        fitted = fitted_or_error(self.fitted, _NAME)
        assert self.model is not None
        assert self.rare is not None
        with artifact.writing(folder, _NAME) as draft:
            draft.json("config", asdict(self.config))
            draft.json("fitted", fitted.to_json())
            draft.json("rare", self.rare.to_json())
            draft.json("codes", self.codes.to_json())
            draft.json("model", saved_model.to_json(self.model))
            draft.arrays("model", saved_model.to_arrays(self.model))

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model (see `Generator.load`)."""
        saved = artifact.reading(folder, _NAME, trust=trust)
        trees = cls(Config(**saved.json("config")))
        trees.fitted = Fitted.from_json(saved.json("fitted"))
        trees.rare = RareValues.from_json(saved.json("rare"))
        trees.codes = CodeColumns.from_json(saved.json("codes"))
        trees.model = saved_model.from_saved(saved.json("model"), saved.arrays("model"))
        return trees

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance with three trees per column."""
        return cls(Config(trees=3, given_trees=1))


def joined(fitted: Fitted) -> Schema:
    """Return the fields of the table, then those that are only ever given."""
    return Schema((*fitted.table, *(f for f in fitted.given if f.name not in fitted.table)))


def chain(table: Schema, every: Schema, rows: pd.DataFrame) -> tuple[Field, ...]:
    """Return the order in which fields are drawn: conditions, columns of many levels, the others.

    Levels by the hundred are learnt best while there is little else to split on.

    A condition that is often missing comes late, so that it is drawn given the known ones
    instead of being weighed against them.
    """
    unknown = rows.isna().sum()
    only_given = sorted((f for f in every if f.name not in table), key=lambda f: unknown[f.name])
    columns = sorted(table, key=lambda f: len(f.levels) <= _MANY_LEVELS)
    return (*only_given, *columns)
