"""Rows beside their parents and their siblings, as the metrics compare them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.core.fields import Kind, Schema
from casemix.modalities.relational.data import LinkedTables
from casemix.modalities.relational.ordering import child_counts, parent_positions
from casemix.modalities.relational.table_form import TableForm


def own_columns(form: TableForm, tables: LinkedTables) -> pd.DataFrame:
    """Return a table's columns without absolute times.

    The first time becomes hours after the parent's start (after the index time, where the parent
    is the subject or has no start), the others hours after the first.
    """
    frame = tables.frames[form.name]
    columns = {n: frame[n].to_numpy() for n in form.own.names}
    if form.start is not None:
        start = frame[form.start].to_numpy(dtype=np.float64)
        columns[form.start] = start - parent_start(form, tables)
        for name in form.times[1:]:
            columns[name] = frame[name].to_numpy(dtype=np.float64) - start
    return pd.DataFrame(columns)


def parent_start(form: TableForm, tables: LinkedTables) -> np.ndarray:
    """Return when each row's parent begins, hours (n,); 0 where it does not say."""
    above = tables.form(form.parent) if form.parent else None
    if above is None or above.start is None:
        return np.zeros(len(tables.frames[form.name]))
    start = tables.frames[above.name][above.start].to_numpy(dtype=np.float64)
    return np.nan_to_num(start[parent_positions(form, tables)])


def beside_parent(
    form: TableForm, tables: LinkedTables, context: pd.DataFrame, schema: Schema
) -> pd.DataFrame:
    """Return each row's columns as ``child.<c>`` beside those of its parent as ``parent.<c>``.

    Args:
        form: the table.
        tables: n samples.
        context: the subjects' recorded context, n rows.
        schema: its fields; those of codes are left out.
    """
    child = own_columns(form, tables).add_prefix("child.")
    above = parent_columns(form.parent, tables, context, schema)
    return pd.concat(
        [child, above.iloc[parent_positions(form, tables)].reset_index(drop=True)], axis=1
    )


def parent_columns(
    parent: str, tables: LinkedTables, context: pd.DataFrame, schema: Schema
) -> pd.DataFrame:
    """Return the columns of a table, or of the subjects, as ``parent.<c>``."""
    if parent:
        return own_columns(tables.form(parent), tables).add_prefix("parent.")
    names = [f.name for f in schema if f.kind is not Kind.CODES]
    return context[names].reset_index(drop=True).add_prefix("parent.")


def numbers_of_children(
    parent: str, tables: LinkedTables, context: pd.DataFrame, schema: Schema
) -> pd.DataFrame:
    """Return how many rows of each child table a parent has beside what the parent is.

    Columns ``child.<table>`` and ``parent.<c>``, one row per parent (per sample for "").
    """
    counts = {
        f"child.{f.name}": child_counts(f, tables).astype(np.float64)
        for f in tables.forms
        if f.parent == parent
    }
    return pd.concat(
        [pd.DataFrame(counts), parent_columns(parent, tables, context, schema)], axis=1
    )


def beside_sibling(form: TableForm, tables: LinkedTables) -> pd.DataFrame:
    """Return each row's columns as ``child.<c>`` beside the sibling before as ``before.<c>``.

    First children are left out. The first time is hours after the sibling's. The index is the
    position of the sample.
    """
    own = own_columns(form, tables)
    frame = tables.frames[form.name]
    order = in_order(form, frame)
    parent = parent_positions(form, tables)[order]
    own = own.iloc[order].reset_index(drop=True)
    before = own.groupby(parent).shift()
    later = own.groupby(parent).cumcount().to_numpy() > 0
    if form.start is not None:
        own[form.start] = own[form.start] - before[form.start]
        before = before.drop(columns=form.start)
    both = pd.concat([own.add_prefix("child."), before.add_prefix("before.")], axis=1)
    return both.set_axis(frame["item"].to_numpy()[order], axis=0)[later]


def in_order(form: TableForm, frame: pd.DataFrame) -> np.ndarray:
    """Return the positions of a table's rows by parent, then time, then key."""
    names = ["item", "parent", *([form.start] if form.start else []), "row"]
    ordered = frame.reset_index(drop=True).sort_values(names, kind="stable")
    return ordered.index.to_numpy()
