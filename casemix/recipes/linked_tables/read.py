"""A folder of CSV or parquet tables as a cohort with linked tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from casemix.core.cohort import Cohort
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples
from casemix.errors import CohortError
from casemix.modalities.relational.data import ROOT, LinkedTables
from casemix.modalities.relational.table_form import KEYS, TableForm
from casemix.recipes.linked_tables.columns import read_column
from casemix.recipes.linked_tables.keys import SUBJECT, FolderKeys, TableKeys
from casemix.recipes.linked_tables.source import (
    HOURS,
    as_dates,
    as_text,
    check_columns,
    field_name,
    load_frame,
)

_ITEM, _ROW, _PARENT = "__item", "__row", "__parent"  # no column of a source is called so
_YEAR = 24 * 365.25  # hours


@dataclass(frozen=True)
class Read:
    """A cohort, and what was done to read it.

    Args:
        cohort: subjects with their context and ``samples["relational"]``.
        notes: sentences with counts: rows dropped, columns left out.
    """

    cohort: Cohort
    notes: tuple[str, ...]


def read_tables(folder: Path, keys: FolderKeys) -> Read:
    """Read a folder of tables as a cohort.

    Kinds and levels are inferred where the keys say nothing; levels that fewer than three subjects
    have become ``other``. Dates become hours since midnight before the subject's index time.

    Args:
        folder: holds ``<table>.parquet`` or ``<table>.csv``.
        keys: how the tables are linked.

    Raises:
        MappingError: a table or column that there is not.
        CohortError: a key twice, or rows without a parent where the keys do not say ``drop``.
    """
    return _Reader(Path(folder), keys).read()


class _Reader:
    def __init__(self, folder: Path, keys: FolderKeys) -> None:
        self.folder, self.keys = folder, keys
        self.notes: list[str] = []
        self.raw = {name: load_frame(folder, name) for name in keys.tables}
        self.people = self._people()
        self.ids = pd.Index(as_text(self.people[keys.subject.key]), dtype=object)
        #: table -> the text of its rows' keys -> (item, row)
        self.places: dict[str, pd.DataFrame] = {}
        self.index_time = pd.Series(pd.NaT, index=self.ids, dtype="datetime64[s]")

    def read(self) -> Read:
        linked = {name: self._linked(name) for name in self.keys.tables}
        self.index_time = self._index_times(linked)
        forms, frames = [], {}
        for name, frame in linked.items():
            form, typed = self._typed(name, frame)
            forms.append(form)
            frames[name] = typed
        payload = LinkedTables(tuple(forms), frames, len(self.ids))
        subjects, schema = self._subjects()
        index = pd.DataFrame({"subject_id": list(self.ids), "time": 0.0}, index=self.ids)
        samples = {"relational": Samples("relational", index, payload)}
        about = {**self.keys.about, "notes": " ".join(self.notes)}
        return Read(Cohort(subjects, schema, samples, about=about), tuple(self.notes))

    def _people(self) -> pd.DataFrame:
        about = self.keys.subject
        frame = self.raw.get(about.table)
        frame = load_frame(self.folder, about.table) if frame is None else frame
        wanted = [about.key, *about.columns, *about.times, *([about.birth] if about.birth else [])]
        check_columns(frame, [*wanted, *about.leave_out], about.table)
        again = frame[about.key].duplicated()
        if again.any() and about.repeated != "first":
            raise CohortError(
                f"{int(again.sum())} subjects of '{about.table}' have another row before.",
                next_step="Write 'repeated: first' to take the first row of each.",
            )
        return frame[~again].reset_index(drop=True)

    def _linked(self, name: str) -> pd.DataFrame:
        """Return a table's rows with ``item``, ``row`` and ``parent``; note dropped ones."""
        about, frame = self.keys.tables[name], self.raw[name]
        foreign = self.keys.foreign_key(name)
        check_columns(frame, _named(about, foreign), name)
        places = self._parents(about.parent).reindex(as_text(frame[foreign]))
        lost = places["item"].isna().to_numpy()
        if lost.any() and about.orphans == "error":
            raise CohortError(
                f"{int(lost.sum())} rows of '{name}' have no parent in '{about.parent}'.",
                given=list(frame.loc[lost, foreign].astype(str).unique()[:5]),
                next_step="Write 'orphans: drop' for this table to leave them out.",
            )
        if lost.any():
            self.notes.append(f"{int(lost.sum())} of {len(frame)} rows of '{name}' had no parent.")
        kept = frame[~lost].reset_index(drop=True)
        found = places[~lost].astype(int)
        kept.insert(0, _ITEM, found["item"].to_numpy())
        kept.insert(1, _PARENT, found["row"].to_numpy())
        kept = self._in_order(kept, about)
        kept.insert(1, _ROW, kept.groupby(_ITEM).cumcount())
        if about.key:
            self.places[name] = _places(kept, about.key, name)
        return kept

    def _parents(self, parent: str) -> pd.DataFrame:
        if parent != SUBJECT:
            return self.places[parent]
        return pd.DataFrame({"item": np.arange(len(self.ids)), "row": ROOT}, index=self.ids)

    def _in_order(self, frame: pd.DataFrame, about: TableKeys) -> pd.DataFrame:
        first = about.rank or (about.times[0] if about.times else "")
        if not first:
            return frame.sort_values([_ITEM, _PARENT], kind="stable", ignore_index=True)
        order = as_dates(frame[first]) if about.unit == "date" and not about.rank else frame[first]
        ranked = frame.assign(__order=order).sort_values(
            [_ITEM, _PARENT, "__order"], kind="stable", ignore_index=True
        )
        return ranked.drop(columns="__order")

    def _index_times(self, linked: dict[str, pd.DataFrame]) -> pd.Series:
        """Return midnight before each subject's index time, or before its earliest date."""
        dated = {n: f for n, f in linked.items() if self.keys.tables[n].unit == "date"}
        sources = [(n, t) for n in dated for t in self.keys.tables[n].times]
        chosen = [self.keys.index] if self.keys.index else sources
        found = self._earliest(dated, [s for s in chosen if s in sources])
        return found.fillna(self._earliest(dated, sources)).dt.normalize()

    def _earliest(
        self, frames: dict[str, pd.DataFrame], sources: list[tuple[str, str]]
    ) -> pd.Series:
        parts = [
            as_dates(frames[n][t]).groupby(frames[n][_ITEM].to_numpy()).min() for n, t in sources
        ]
        if not parts:
            return pd.Series(pd.NaT, index=range(len(self.ids)), dtype="datetime64[s]")
        whole = pd.concat(parts, axis=1).min(axis=1).reindex(range(len(self.ids)))
        return pd.to_datetime(whole).astype("datetime64[s]")

    def _typed(self, name: str, frame: pd.DataFrame) -> tuple[TableForm, pd.DataFrame]:
        about = self.keys.tables[name]
        item = frame[_ITEM].to_numpy()
        owners = pd.Series(self.ids[item], index=frame.index)
        columns: dict[str, pd.Series] = {}
        fields: list[Field] = []
        skipped = []
        for column in self._content(name, frame):
            if column in about.times:
                fields.append(Field(column, Kind.NUMERIC, "h"))
                columns[column] = self._hours(frame[column], about.unit, item)
                continue
            where = f"tables.{name}.columns.{column}"
            found = read_column(frame[column], about.columns.get(column, {}), owners, where)
            if found is None:
                skipped.append(column)
                continue
            named = replace(found[0], name=field_name(column))
            fields.append(named)
            columns[named.name] = found[1]
        if skipped:
            self.notes.append(
                f"Left out of '{name}', which cannot be learnt: {', '.join(skipped)}."
            )
        parent = "" if about.parent == SUBJECT else about.parent
        form = TableForm(
            name, Schema(tuple(fields)), parent, about.times, about.spans, about.within
        )
        keys = pd.DataFrame(
            dict(zip(KEYS, (frame[n] for n in (_ITEM, _ROW, _PARENT)), strict=True))
        )
        return form, pd.concat([keys, pd.DataFrame(columns, index=frame.index)], axis=1)

    def _content(self, name: str, frame: pd.DataFrame) -> Iterator[str]:
        about, person = self.keys.tables[name], self.keys.subject
        without = {_ITEM, _ROW, _PARENT, about.key, about.rank, *about.leave_out, *about.copies}
        without |= {self.keys.foreign_key(name), person.key}
        if name == person.table:
            without |= {*person.columns, *person.times, person.birth}
        return (column for column in frame.columns if column not in without)

    def _hours(self, column: pd.Series, unit: str, item: np.ndarray) -> pd.Series:
        if unit != "date":
            return pd.to_numeric(column, errors="coerce").astype("float64") * HOURS[unit]
        origin = self.index_time.to_numpy()[item]
        since = as_dates(column) - pd.Series(origin, index=column.index)
        return since.dt.total_seconds() / 3600

    def _subjects(self) -> tuple[pd.DataFrame, Schema]:
        about, people = self.keys.subject, self.people
        owners = pd.Series(self.ids, index=people.index)
        columns: dict[str, pd.Series] = {}
        fields: list[Field] = []
        item = np.arange(len(people))
        if about.birth:
            hours = -self._hours(people[about.birth], "date", item)
            fields.append(Field("age", Kind.NUMERIC, "a", range=(0, about.oldest)))
            columns["age"] = (hours / _YEAR).clip(0, about.oldest).round(2)
        for column in about.times:
            fields.append(Field(column, Kind.NUMERIC, "h"))
            columns[column] = self._hours(people[column], "date", item)
        for column in about.columns or self._person_columns():
            overrides = about.columns.get(column, {})
            found = read_column(people[column], overrides, owners, f"subject.columns.{column}")
            if found is not None:
                fields.append(found[0])
                columns[column] = found[1]
        frame = pd.DataFrame(columns, index=people.index)
        return frame.set_axis(self.ids, axis=0), Schema(tuple(fields))

    def _person_columns(self) -> list[str]:
        about = self.keys.subject
        without = {about.key, about.birth, *about.times, *about.leave_out}
        return [c for c in self.people.columns if c not in without]


def _named(about: TableKeys, foreign: str) -> list[str]:
    own = [foreign, *about.times, *about.copies, *about.columns, *about.leave_out]
    return own + [n for n in (about.key, about.rank) if n]


def _places(frame: pd.DataFrame, key: str, name: str) -> pd.DataFrame:
    texts = as_text(frame[key])
    again = texts.duplicated()
    if again.any():
        raise CohortError(
            f"{int(again.sum())} rows of '{name}' have a key '{key}' that is used before.",
            given=list(texts[again].unique()[:5]),
            next_step="Keys must be unique where other tables refer to them.",
        )
    places = frame[[_ITEM, _ROW]].set_axis(["item", "row"], axis=1)
    return places.set_axis(pd.Index(texts, dtype=object), axis=0)
