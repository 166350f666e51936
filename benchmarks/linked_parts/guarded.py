"""Real tables without what few subjects have: as close as a method comes that keeps to that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from casemix.core.fields import LEVELLED
from casemix.core.samples import Samples
from casemix.modalities.relational.common_levels import common_levels
from casemix.modalities.relational.data import LinkedTables
from casemix.modalities.relational.ordering import in_time_order
from casemix.modalities.relational.shared_numbers import StatedNumbers
from casemix.modalities.relational.steps import Steps
from casemix.modalities.relational.table_form import TableForm


def guarded(real: Samples, seed: int) -> Samples:
    """Return real tables whose rare cells are replaced as `relational/hierarchical` replaces them.

    Levels that fewer than five subjects have become a common one; numbers, and times after a row's
    first one, that fewer than five subjects reach are drawn from the tail. Rows, keys and common
    cells stay as they are, which no method may show.
    """
    tables: LinkedTables = in_time_order(real.payload)
    frames = {form.name: _table(form, tables.frames[form.name], seed) for form in tables.forms}
    return replace(real, payload=LinkedTables(tables.forms, frames, tables.count))


def _table(form: TableForm, frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    if not len(frame) or not len(form.schema):
        return frame
    steps, owners = Steps.fit(form, frame), frame["item"].to_numpy()
    start = frame[form.start].to_numpy() if form.start else np.zeros(len(frame))
    cells = steps.encode(frame, start).set_axis(frame.index.astype(str), axis=0)
    numbers = StatedNumbers.fit(cells, steps.schema, owners)
    cells = numbers.decode(numbers.encode(cells), cells.index.to_numpy(), seed=seed)
    levelled = form.own.pick([f.name for f in form.own if f.kind in LEVELLED])
    cells = common_levels(cells, levelled, owners, seed=seed)
    ends = {n: steps.clocks[n].after(start, cells[f"time.{n}"].to_numpy()) for n in form.times[1:]}
    return frame.assign(**{n: cells[n].to_numpy() for n in form.own.names}, **ends)
