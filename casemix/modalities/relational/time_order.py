"""Times that cannot be: ends before starts, rows outside of their parent's span."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from casemix.modalities.relational.clock import Clock
from casemix.modalities.relational.data import LinkedTables
from casemix.modalities.relational.ordering import parent_positions
from casemix.modalities.relational.table_form import TableForm

Clocks = Mapping[tuple[str, str], Clock]


def resolutions(tables: LinkedTables) -> Clocks:
    """Return the clock of every time of every table: (table, column) -> clock."""
    return {
        (form.name, name): Clock.fit(tables.frames[form.name][name].to_numpy(dtype=np.float64))
        for form in tables.forms
        for name in form.times
    }


def broken_times(tables: LinkedTables, clocks: Clocks) -> dict[str, dict[str, np.ndarray]]:
    """Return which rows have impossible times: table -> what is wrong -> bool (rows,).

    Times are compared in the coarser of their two resolutions: a date without a time of day is not
    before a moment of that day.

    Args:
        tables: n samples.
        clocks: the resolution of each time, from real records.
    """
    found: dict[str, dict[str, np.ndarray]] = {}
    for form in tables.forms:
        wrong = {
            f"{end} before {start}": _before(form, end, form, start, tables, clocks, None)
            for start, end in form.spans
        }
        if form.within and form.start is not None:
            wrong |= _outside(form, tables, clocks)
        if wrong:
            found[form.name] = wrong
    return found


def _outside(form: TableForm, tables: LinkedTables, clocks: Clocks) -> dict[str, np.ndarray]:
    above = tables.form(form.parent)
    parent = parent_positions(form, tables)
    assert form.start is not None
    wrong = {}
    if above.start is not None:
        before = _before(form, form.start, above, above.start, tables, clocks, parent)
        wrong[f"before {above.name}"] = before
    for name in {form.start, form.end or form.start}:
        if above.end is not None:
            after = _before(form, name, above, above.end, tables, clocks, parent, after=True)
            wrong[f"{name} after {above.name}"] = after
    return wrong


def _before(
    form: TableForm,
    name: str,
    other: TableForm,
    other_name: str,
    tables: LinkedTables,
    clocks: Clocks,
    parent: np.ndarray | None,
    *,
    after: bool = False,
) -> np.ndarray:
    """Return where one time lies before (after) another of the same or of the parent's row."""
    coarser = max(
        clocks[form.name, name], clocks[other.name, other_name], key=lambda c: c.resolution
    )
    mine = tables.frames[form.name][name].to_numpy(dtype=np.float64)
    theirs = tables.frames[other.name][other_name].to_numpy(dtype=np.float64)
    steps = coarser.between(theirs if parent is None else theirs[parent], mine)
    return np.asarray(steps > 0 if after else steps < 0)
