"""Rows in the order of time: keys that count up from parent to parent and within each."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.modalities.relational.data import LinkedTables
from casemix.modalities.relational.table_form import TableForm


def in_time_order(tables: LinkedTables) -> LinkedTables:
    """Return the same tables with keys 0, 1, ... by parent, then by time, then as they were.

    A row without a time comes after its siblings.
    """
    frames: dict[str, pd.DataFrame] = {}
    renamed: dict[str, pd.Series] = {}
    for form in tables.forms:
        frame = tables.frames[form.name]
        if form.parent:
            new = renamed[form.parent].loc[pd.MultiIndex.from_frame(frame[["item", "parent"]])]
            frame = frame.assign(parent=new.to_numpy())
        by = ["item", "parent", *([form.start] if form.start else []), "row"]
        frame = frame.sort_values(by, kind="stable", ignore_index=True)
        row = frame.groupby("item").cumcount().to_numpy()
        renamed[form.name] = pd.Series(row, pd.MultiIndex.from_frame(frame[["item", "row"]]))
        frames[form.name] = frame.assign(row=row)
    return LinkedTables(tables.forms, frames, tables.count)


def parent_positions(form: TableForm, tables: LinkedTables) -> np.ndarray:
    """Return the position of each row's parent in the parent's frame (or the sample), int (n,)."""
    frame = tables.frames[form.name]
    if not form.parent:
        return frame["item"].to_numpy()
    keys = pd.MultiIndex.from_frame(tables.frames[form.parent][["item", "row"]])
    return keys.get_indexer(pd.MultiIndex.from_frame(frame[["item", "parent"]]))


def child_counts(form: TableForm, tables: LinkedTables) -> np.ndarray:
    """Return how many rows of a table each parent (row or sample) has, int (parents,)."""
    parents = len(tables.frames[form.parent]) if form.parent else len(tables)
    return np.bincount(parent_positions(form, tables), minlength=parents)
