"""Levels that few subjects have, as the level ``other`` of their column."""

from __future__ import annotations

import pandas as pd

from casemix.core.fields import LEVELLED
from casemix.modalities.relational.data import LinkedTables

#: The level that stands for those without a name of their own.
OTHER = "other"
_LEAST = 5  # subjects


def pooled(tables: LinkedTables) -> LinkedTables:
    """Return the tables with levels that fewer than five subjects have as ``other``.

    Only in columns that have such a level; what is rare in the others is hidden by the tabular
    generator, which takes a common level in its place. That would change how frequent the common
    ones are and what they go with.
    """
    frames = {}
    for form in tables.forms:
        frame = tables.frames[form.name]
        open_ended = [f.name for f in form.own if f.kind in LEVELLED and OTHER in f.levels]
        cells = {name: _pooled(frame[name], frame["item"]) for name in open_ended}
        frames[form.name] = frame.assign(**cells)
    return LinkedTables(tables.forms, frames, tables.count)


def _pooled(column: pd.Series, subjects: pd.Series) -> pd.Series:
    held = pd.DataFrame({"level": column, "subject": subjects}).drop_duplicates()
    count = held["level"].value_counts()
    common = column.isin(count.index[count >= _LEAST]) | column.isna()
    return column.where(common, OTHER)
