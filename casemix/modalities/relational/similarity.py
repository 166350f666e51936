"""How alike linked tables are: numbers of children, columns, dependence; without intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from casemix.core.fields import Schema
from casemix.core.metric import View
from casemix.errors import EvaluationError
from casemix.evaluation.tables import (
    Columnwise,
    dependence_similarity,
    ks_distance,
    marginal_similarity,
)
from casemix.modalities.relational.data import LinkedTables
from casemix.modalities.relational.ordering import child_counts
from casemix.modalities.relational.row_views import (
    beside_parent,
    beside_sibling,
    numbers_of_children,
    own_columns,
)


@dataclass(frozen=True)
class Arm:
    """The tables of one arm and its subjects' recorded context, row by row."""

    tables: LinkedTables
    context: pd.DataFrame

    @classmethod
    def of(cls, view: View) -> Arm:
        """Return a view's arm."""
        return cls(view.samples.payload, view.context)

    def take(self, positions: np.ndarray) -> Arm:
        """Return the samples at these positions, which may repeat."""
        return Arm(self.tables.take(positions), self.context.iloc[positions])


Similarity = Callable[[Arm, Arm], dict[str, float]]


def children(real: Arm, made: Arm) -> dict[str, float]:
    """Return 1 - KS distance of the numbers of rows per parent, by table."""
    arms = real.tables, made.tables
    found = {}
    for form in arms[0].forms:
        counts = [child_counts(form, arm).astype(np.float64) for arm in arms]
        if all(map(len, counts)):
            found[form.name] = 1.0 - ks_distance(*counts)
    return found


def columns(real: Arm, made: Arm) -> dict[str, float]:
    """Return the similarity of each column, by ``table.column``."""
    arms = real.tables, made.tables
    found: dict[str, float] = {}
    for form in arms[0].forms:
        frames = [own_columns(form, arm) for arm in arms]
        if min(map(len, frames)) < 2 or not len(form.schema):
            continue
        parts = marginal_similarity(*frames).parts
        found |= {f"{form.name}.{name}": value for name, value in parts.items()}
    return found


def beside_parents(schema: Schema) -> Similarity:
    """Return the similarity of associations of rows and their numbers with their parents.

    Args:
        schema: the fields of the subjects' recorded context.
    """

    def frames(arm: Arm) -> Iterator[tuple[str, pd.DataFrame]]:
        tables = arm.tables
        for form in tables.forms:
            yield form.name, beside_parent(form, tables, arm.context, schema)
        for parent in dict.fromkeys(form.parent for form in tables.forms):
            counts = numbers_of_children(parent, tables, arm.context, schema)
            yield f"numbers of children of {parent or 'subjects'}", counts

    return _across(frames, "parent.")


def beside_siblings(real: Arm, made: Arm) -> dict[str, float]:
    """Return the similarity of associations between rows and the sibling before each."""

    def frames(arm: Arm) -> Iterator[tuple[str, pd.DataFrame]]:
        for form in arm.tables.forms:
            yield form.name, beside_sibling(form, arm.tables)

    return _across(frames, "before.")(real, made)


def _across(frames: Callable[[Arm], Iterator[tuple[str, pd.DataFrame]]], beside: str) -> Similarity:
    """Return the similarity of associations between ``child.`` columns and those ``beside``."""

    def similarity(real: Arm, made: Arm) -> dict[str, float]:
        found: dict[str, float] = {}
        for (name, first), (_, second) in zip(frames(real), frames(made), strict=True):
            for pair, value in _dependence(first, second).parts.items():
                ends = [part.split(".")[0] + "." for part in pair.split(" ~ ")]
                if set(ends) == {"child.", beside}:
                    found[f"{name}: {pair}"] = value
        return found

    return similarity


def _dependence(real: pd.DataFrame, made: pd.DataFrame) -> Columnwise:
    if min(len(real), len(made)) < 2 or real.shape[1] < 2:
        return Columnwise(float("nan"), {})
    try:
        return dependence_similarity(real, made)
    except EvaluationError:  # no column varies
        return Columnwise(float("nan"), {})
