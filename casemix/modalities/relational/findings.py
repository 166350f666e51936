"""Findings of linked tables: per subject, how many rows, which levels, which numbers, when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from casemix.core.fields import Field, Kind, Schema
from casemix.modalities.relational.data import LinkedTables
from casemix.modalities.relational.ordering import child_counts
from casemix.modalities.relational.table_form import TableForm

_FEW = 12  # levels of a column whose most frequent one per subject is a finding
_SHOWN = 5  # levels of a larger column whose share per subject is a finding
_TESTS = 4  # levels of the column that says what a number is of

Found = tuple[Field, pd.Series]


@dataclass(frozen=True)
class Findings:
    """Which findings linked tables have, per table ``t`` and sample.

    - ``relational.t.count``: rows, and for a child table ``.per_parent``: their mean number;
    - ``.c.mean`` of a numeric column, and ``.c.mean.d=level`` for the most frequent levels of the
      levelled column ``d`` with the most levels (what was measured);
    - ``.c.most`` of a column of at most 12 levels, else ``.c.share=level`` of the 5 most frequent;
    - ``.first``, ``.gap`` and ``.hours``: hours of the first row, mean hours from one row to its
      next sibling, and mean hours of a span.

    Args:
        forms: the tables.
        frequent: table -> levelled column -> its levels, most frequent first.
    """

    forms: tuple[TableForm, ...]
    frequent: Mapping[str, Mapping[str, tuple[str, ...]]]

    @classmethod
    def fit(cls, tables: LinkedTables) -> Findings:
        """Learn the most frequent levels of training tables."""
        frequent = {
            form.name: {
                f.name: _by_frequency(tables.frames[form.name][f.name])
                for f in form.own
                if f.kind is not Kind.NUMERIC
            }
            for form in tables.forms
        }
        return cls(tables.forms, frequent)

    @property
    def schema(self) -> Schema:
        """The fields of `of`."""
        nothing = {
            f.name: pd.DataFrame(columns=["item", "row", "parent", *f.schema.names]).astype(
                {"item": int, "row": int, "parent": int}
            )
            for f in self.forms
        }
        return Schema(tuple(f for f, _ in self._found(LinkedTables(self.forms, nothing, 0))))

    def of(self, tables: LinkedTables) -> pd.DataFrame:
        """Return one row of findings per sample; what a sample has no rows for is missing."""
        columns: dict[str, pd.Series] = {}
        items = pd.RangeIndex(len(tables))
        for f, values in self._found(tables):
            columns[f.name] = f.coerce(values.reindex(items))
        return pd.DataFrame(columns, index=items)

    def _found(self, tables: LinkedTables) -> Iterator[Found]:
        for form in self.forms:
            prefix, frame = f"relational.{form.name}", tables.frames[form.name]
            yield from _counts(prefix, form, tables)
            yield from self._numbers(prefix, form, frame)
            for f in form.own:
                if f.kind is not Kind.NUMERIC:
                    yield from self._levels(prefix, form, f, frame)
            yield from _times(prefix, form, frame)

    def _numbers(self, prefix: str, form: TableForm, frame: pd.DataFrame) -> Iterator[Found]:
        kind_of = max(
            (f for f in form.own if f.kind is not Kind.NUMERIC),
            key=lambda f: len(f.levels),
            default=None,
        )
        for f in form.own:
            if f.kind is not Kind.NUMERIC:
                continue
            name = f"{prefix}.{f.name}.mean"
            yield Field(name, Kind.NUMERIC, f.unit), frame.groupby("item")[f.name].mean()
            levels = self.frequent[form.name][kind_of.name][:_TESTS] if kind_of else ()
            for level in levels:
                assert kind_of is not None
                of_level = frame[frame[kind_of.name] == level].groupby("item")[f.name].mean()
                yield Field(f"{name}.{kind_of.name}={level}", Kind.NUMERIC, f.unit), of_level

    def _levels(
        self, prefix: str, form: TableForm, f: Field, frame: pd.DataFrame
    ) -> Iterator[Found]:
        cells = frame[f.name]
        if len(f.levels) <= _FEW:
            kind = Kind.CATEGORICAL
            yield Field(f"{prefix}.{f.name}.most", kind, levels=f.levels), _most(frame, f.name)
            return
        for level in self.frequent[form.name][f.name][:_SHOWN]:
            share = (cells == level).astype(float).groupby(frame["item"]).mean()
            yield Field(f"{prefix}.{f.name}.share={level}", Kind.NUMERIC), share

    def to_json(self) -> dict[str, Any]:
        """Return the findings as JSON-ready content."""
        forms = [f.to_json() for f in self.forms]
        levels = {t: {c: list(v) for c, v in own.items()} for t, own in self.frequent.items()}
        return {"forms": forms, "frequent": levels}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Findings:
        """Rebuild what `to_json` wrote."""
        forms = tuple(TableForm.from_json(entry) for entry in content["forms"])
        frequent = content["frequent"].items()
        return cls(forms, {t: {c: tuple(v) for c, v in own.items()} for t, own in frequent})


def _counts(prefix: str, form: TableForm, tables: LinkedTables) -> Iterator[Found]:
    count = tables.frames[form.name]["item"].value_counts()
    whole = count.reindex(range(len(tables))).fillna(0).astype(float)
    yield Field(f"{prefix}.count", Kind.NUMERIC), whole
    if form.parent:
        above = tables.frames[form.parent]["item"].to_numpy()
        mean = pd.Series(child_counts(form, tables), dtype=float).groupby(above).mean()
        yield Field(f"{prefix}.per_parent", Kind.NUMERIC), mean


def _times(prefix: str, form: TableForm, frame: pd.DataFrame) -> Iterator[Found]:
    if form.start is None:
        return
    hours = frame[form.start].astype(float)
    yield Field(f"{prefix}.first", Kind.NUMERIC, "h"), hours.groupby(frame["item"]).min()
    ordered = frame.assign(hours=hours).sort_values(["item", "parent", "hours"], kind="stable")
    gaps = ordered.groupby(["item", "parent"])["hours"].diff()
    yield Field(f"{prefix}.gap", Kind.NUMERIC, "h"), gaps.groupby(ordered["item"]).mean()
    if form.end is not None:
        span = (frame[form.end].astype(float) - hours).groupby(frame["item"]).mean()
        yield Field(f"{prefix}.hours", Kind.NUMERIC, "h"), span


def _most(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return the most frequent level per sample; of equally frequent ones the first by name."""
    counts = frame.groupby(["item", name]).size().rename("n").reset_index()
    ranked = counts.sort_values(["item", "n", name], ascending=[True, False, True])
    return ranked.drop_duplicates("item").set_index("item")[name]


def _by_frequency(cells: pd.Series) -> tuple[str, ...]:
    counts = cells.value_counts()
    return tuple(sorted(counts.index, key=lambda level: (-int(counts[level]), str(level))))


def spread_features(findings: Findings, tables: LinkedTables) -> np.ndarray:
    """Return what findings leave out, for the embedding, float (n, d).

    Per table the spread of each number, the shares of the most frequent levels of each levelled
    column, and how often a row repeats the level of the sibling before it; NaN without rows.
    """
    items = range(len(tables))
    columns: list[pd.Series] = []
    for form in findings.forms:
        frame = tables.frames[form.name]
        ordered = frame.sort_values(
            ["item", "parent", *([form.start] if form.start else []), "row"], kind="stable"
        )
        before = ordered.groupby(["item", "parent"]).shift()
        for f in form.own:
            cells = ordered[f.name]
            if f.kind is Kind.NUMERIC:
                columns.append(cells.astype(float).groupby(ordered["item"]).std())
                continue
            same = (cells == before[f.name]).astype(float).where(before[f.name].notna())
            columns.append(same.groupby(ordered["item"]).mean())
            for level in findings.frequent[form.name][f.name][: 2 * _SHOWN]:
                share = (cells == level).astype(float)
                columns.append(share.groupby(ordered["item"]).mean())
    if not columns:
        return np.empty((len(tables), 0))
    return np.stack([c.reindex(items).to_numpy(dtype=np.float64) for c in columns], axis=1)
