"""Steps: the rows of a table as one row after another of the same parent, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from casemix.core.fields import LEVELLED, Field, Kind, Schema
from casemix.modalities.relational.clock import Clock
from casemix.modalities.relational.table_form import TableForm


@dataclass(frozen=True)
class Parents:
    """The rows (or samples) whose children are learnt or drawn, p of them.

    Args:
        ids: names that are the same in any batch, object (p,).
        item: position of their sample, int (p,).
        row: their key, -1 for the subject itself, int (p,).
        start: hours at which they begin, 0 where that is not known, (p,).
        end: hours at which they end, NaN where that is not known, (p,).
        known: what children are drawn given, typed, (p, features).
        schema: the fields of ``known``.
    """

    ids: np.ndarray
    item: np.ndarray
    row: np.ndarray
    start: np.ndarray
    end: np.ndarray
    known: pd.DataFrame
    schema: Schema

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, positions: np.ndarray) -> Parents:
        """Return the parents at these positions."""
        ids, item, row, start, end = (
            a[positions] for a in (self.ids, self.item, self.row, self.start, self.end)
        )
        return Parents(ids, item, row, start, end, self.known.iloc[positions], self.schema)

    def joined(self, known: pd.DataFrame, schema: Schema) -> Parents:
        """Return the parents with further columns of ``known``, row by row."""
        both = pd.concat([self.known, known.set_axis(self.known.index, axis=0)], axis=1)
        schema = self.schema.join(schema)
        return Parents(self.ids, self.item, self.row, self.start, self.end, both, schema)


def subjects(ids: np.ndarray, context: pd.DataFrame, schema: Schema) -> Parents:
    """Return the subjects themselves as parents, with their context as ``subject.<field>``."""
    n = len(ids)
    known = context.rename(columns={name: f"subject.{name}" for name in schema.names})
    renamed = Schema(tuple(_renamed(f, "subject") for f in schema))
    nowhere = np.full(n, -1)
    return Parents(ids, np.arange(n), nowhere, np.zeros(n), np.full(n, np.nan), known, renamed)


@dataclass(frozen=True)
class Steps:
    """How one table's rows become steps.

    A step holds the row's own columns and its times as whole steps of their clocks: the first time
    after that of the sibling before (of the parent's start, for the first child), the others after
    the first. So children come in order, and ends after starts, whatever is drawn.

    Args:
        form: the table.
        clocks: time column -> its clock.
    """

    form: TableForm
    clocks: Mapping[str, Clock]

    @classmethod
    def fit(cls, form: TableForm, frame: pd.DataFrame) -> Steps:
        """Learn the clocks of a table."""
        return cls(form, {n: Clock.fit(frame[n].to_numpy(dtype=np.float64)) for n in form.times})

    @property
    def schema(self) -> Schema:
        """The columns of a step: the table's own and ``time.<column>``."""
        times = tuple(Field(f"time.{n}", Kind.NUMERIC) for n in self.form.times)
        return Schema((*self.form.own, *times))

    def references(self, frame: pd.DataFrame, parent: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Return the time that each row's first time counts from, hours (n,).

        Args:
            frame: rows in the order of parents and times.
            parent: position of each row's parent, (n,).
            start: when each parent begins, (p,).
        """
        if self.form.start is None:
            return start[parent]
        grouped = frame[self.form.start].groupby(parent)
        before = grouped.ffill().groupby(parent).shift()
        return before.fillna(pd.Series(start[parent], frame.index)).to_numpy()

    def encode(self, frame: pd.DataFrame, reference: np.ndarray) -> pd.DataFrame:
        """Return the steps of rows; no end lies before its start."""
        steps = frame[list(self.form.own.names)].copy()
        starts = {end: start for start, end in self.form.spans}
        for name, clock in self.clocks.items():
            origin = reference if name == self.form.start else frame[self.form.start].to_numpy()
            count = clock.between(origin, frame[name].to_numpy())
            ends = name in starts and starts[name] == self.form.start
            steps[f"time.{name}"] = np.maximum(count, 0) if ends else count
        return steps

    def decode(
        self,
        steps: pd.DataFrame,
        reference: np.ndarray,
        parents: Parents,
        first: np.ndarray,
        u: np.ndarray,
    ) -> pd.DataFrame:
        """Return the rows of steps, one step of each parent.

        Args:
            steps: drawn steps, (n, columns).
            reference: the time that the first time counts from, (n,).
            parents: n parents.
            first: which are first children, bool (n,): these may begin before their parent
                unless they must lie within it.
            u: uniform numbers, (n,): where in what is left of the parent a row begins that would
                begin after its end.
        """
        rows = steps[list(self.form.own.names)].copy()
        if self.form.start is None:
            return rows
        own = self._start(steps, reference, parents, first, u)
        rows[self.form.start] = own
        for name in self.form.times[1:]:
            rows[name] = self.clocks[name].after(own, steps[f"time.{name}"].to_numpy())
        for start, end in self.form.spans:
            late = np.fmax(rows[start].to_numpy(), rows[end].to_numpy())
            if self.form.within:
                limit = self.clocks[end].after(parents.end, 0)  # NaN: no end is known
                late = np.fmin(late, np.where(np.isnan(limit), np.inf, np.fmax(own, limit)))
            rows[end] = np.where(rows[end].isna(), np.nan, late)
        return rows

    def _start(
        self,
        steps: pd.DataFrame,
        reference: np.ndarray,
        parents: Parents,
        first: np.ndarray,
        u: np.ndarray,
    ) -> np.ndarray:
        assert self.form.start is not None
        clock = self.clocks[self.form.start]
        gap = steps[f"time.{self.form.start}"].to_numpy()
        if not self.form.within:
            return clock.after(reference, np.where(first, gap, np.maximum(gap, 0)))
        gap = np.maximum(gap, 0)
        left = np.maximum(clock.between(reference, parents.end), 0)  # NaN: no end is known
        anew = np.floor(u * (left + 1))
        return clock.after(reference, np.where(gap > left, anew, gap))


def step_features(
    steps: Steps,
    before: pd.DataFrame,
    recalled: pd.DataFrame,
    reference: np.ndarray,
    position: np.ndarray,
    count: np.ndarray,
    parents: Parents,
) -> tuple[pd.DataFrame, Schema]:
    """Return what a row is drawn given besides what is known of its parent.

    Args:
        steps: the table's steps.
        before: the step before, missing for first children, (n, columns of a step).
        recalled: the step at the same position of the sample's first parent, missing for its own
            children, (n, columns of a step); its levels are given.
        reference: the time that the first time counts from, hours (n,).
        position: how many siblings came before, (n,).
        count: how many children the parent has, (n,).
        parents: the n rows' parents.
    """
    columns: dict[str, np.ndarray] = {
        "step.position": position.astype(np.float64),
        "step.count": count.astype(np.float64),
    }
    if steps.form.start is not None:
        columns["step.since"] = reference - parents.start
        columns["step.left"] = parents.end - reference
        columns["step.hour"] = np.mod(reference, 24.0)
    numbers = Schema(tuple(Field(name, Kind.NUMERIC) for name in columns))
    levelled = steps.schema.pick([f.name for f in steps.schema if f.kind in LEVELLED])
    pasts = (("before", before, steps.schema), ("recalled", recalled, levelled))
    parts = [parents.known, pd.DataFrame(columns, index=parents.known.index)]
    schema = parents.schema.join(numbers)
    for prefix, past, fields in pasts:
        renamed = Schema(tuple(_renamed(f, prefix) for f in fields))
        cells = past[list(fields.names)].set_axis(parents.known.index, axis=0)
        parts.append(cells.set_axis(list(renamed.names), axis=1))
        schema = schema.join(renamed)
    return pd.concat(parts, axis=1), schema


def rows_as_parents(
    form: TableForm, frame: pd.DataFrame, above: Parents, parent: np.ndarray, sample_ids: np.ndarray
) -> Parents:
    """Return a table's rows as parents of the next tables' rows.

    Args:
        form: the table.
        frame: its rows, with keys, in order of samples and rows.
        above: the rows' own parents.
        parent: position of each row's parent, (n,).
        sample_ids: id of each sample.
    """
    item, row = frame["item"].to_numpy(), frame["row"].to_numpy()
    ids = np.array([f"{sample_ids[i]}/{form.name}/{r}" for i, r in zip(item, row, strict=True)])
    nothing = np.full(len(frame), np.nan)
    start = frame[form.start].to_numpy(dtype=np.float64) if form.start else nothing
    end = frame[form.end].to_numpy(dtype=np.float64) if form.end else nothing
    position = frame.groupby(parent).cumcount().to_numpy(dtype=np.float64)
    numbers = {"parent.start": start, "parent.hours": end - start, "parent.position": position}
    own = frame[list(form.own.names)].rename(columns=lambda name: f"parent.{name}")
    context = [n for n in above.schema.names if n.startswith("subject.")]
    known = pd.concat(
        [
            above.known[context].iloc[parent].reset_index(drop=True),
            own.reset_index(drop=True),
            pd.DataFrame(numbers),
        ],
        axis=1,
    )
    schema = Schema(
        (
            *above.schema.pick(context),
            *(_renamed(f, "parent") for f in form.own),
            *(Field(name, Kind.NUMERIC) for name in numbers),
        )
    )
    return Parents(ids.astype(object), item, row, np.nan_to_num(start), end, known, schema)


def _renamed(field: Field, prefix: str) -> Field:
    return Field(f"{prefix}.{field.name}", field.kind, field.unit, field.levels)
