"""What a parent has in the tables before: how many rows, and what the first of them is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.core.fields import LEVELLED, Field, Kind, Schema
from casemix.modalities.relational.data import LinkedTables
from casemix.modalities.relational.ordering import child_counts, parent_positions
from casemix.modalities.relational.steps import Parents
from casemix.modalities.relational.table_form import TableForm

_FEW = 12  # levels of a column that is told of the first row


def with_tables_before(form: TableForm, tables: LinkedTables, parents: Parents) -> Parents:
    """Return a table's parents with what they have in the tables before it.

    Per table of the same parent: ``with.<table>``, the number of rows, and
    ``with.<table>.<column>``, the level of the first row, for columns of at most 12 levels.

    Args:
        form: the table whose rows come next.
        tables: at least the tables before it.
        parents: all rows of the parent table (all samples), in their order.
    """
    for other in tables.forms:
        if other.name == form.name:
            break
        if other.parent == form.parent:
            parents = _with(other, tables, parents)
    return parents


def _with(other: TableForm, tables: LinkedTables, parents: Parents) -> Parents:
    prefix = f"with.{other.name}"
    frame, parent = tables.frames[other.name], parent_positions(other, tables)
    columns: dict[str, np.ndarray] = {prefix: child_counts(other, tables).astype(np.float64)}
    fields = [Field(prefix, Kind.NUMERIC)]
    owner, first = np.unique(parent, return_index=True)
    for f in other.own:
        if f.kind in LEVELLED and len(f.levels) <= _FEW:
            cells = np.full(len(parents), None, dtype=object)
            cells[owner] = frame[f.name].to_numpy()[first]
            columns[f"{prefix}.{f.name}"] = cells
            fields.append(Field(f"{prefix}.{f.name}", f.kind, levels=f.levels))
    return parents.joined(pd.DataFrame(columns), Schema(tuple(fields)))
