"""Linked tables written back as a folder: new keys, shifted dates, no broken link."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from casemix.core import seeding
from casemix.core.cohort import Cohort
from casemix.errors import CohortError
from casemix.modalities.relational.data import ROOT, LinkedTables
from casemix.modalities.relational.ordering import in_time_order
from casemix.modalities.relational.table_form import KEYS
from casemix.recipes.linked_tables.keys import SUBJECT, FolderKeys
from casemix.recipes.linked_tables.source import HOURS, as_text, field_name, load_frame

_COLUMNS = {field_name(name): name for name in KEYS}  # how these are called in the source
_DAYS = 36525  # over which index dates are spread
_FIRST = np.datetime64("2100-01-01")
_YEAR = 24 * 365.25  # hours


def write_tables(
    cohort: Cohort, folder: Path, keys: FolderKeys, *, seed: int, ending: str = "parquet"
) -> dict[str, int]:
    """Write a cohort's linked tables as they were read, and return the rows per table.

    Keys count from 1 in every table (``<table>-1`` where the keys are texts). Each subject gets an
    index date of its own in the years 2100 to 2199, chosen by ``seed``; no real date comes out.

    Args:
        cohort: with ``samples["relational"]``, one sample per subject.
        folder: where; it must not exist, or be empty.
        keys: names of tables and columns.
        seed: which index dates.
        ending: ``parquet`` or ``csv``.

    Raises:
        CohortError: the folder is not empty, a subject has several samples, or another ending.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise CohortError(f"{folder} is not empty.", next_step="Choose another folder.")
    if ending not in ("parquet", "csv"):
        raise CohortError("Unknown ending.", given=ending, allowed=["parquet", "csv"])
    frames = _Writer(cohort, keys, seed).frames()
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        path = folder / f"{name}.{ending}"
        if ending == "parquet":
            frame.to_parquet(path, index=False)
        else:
            frame.to_csv(path, index=False)
    return {name: len(frame) for name, frame in frames.items()}


def check_keys(folder: Path, keys: FolderKeys) -> dict[str, dict[str, int]]:
    """Return per table of a folder how many keys come twice and how many rows have no parent."""
    found = {}
    people = as_text(load_frame(Path(folder), keys.subject.table)[keys.subject.key])
    held = {SUBJECT: set(people)}
    for name, about in keys.tables.items():
        frame = load_frame(Path(folder), name)
        own = as_text(frame[about.key]) if about.key else pd.Series(dtype=object)
        held[name] = set(own)
        foreign = as_text(frame[keys.foreign_key(name)])
        copies = {keys.foreign_key(name): about.parent, **about.copies}
        lost = [~as_text(frame[c]).isin(held[target]) for c, target in copies.items()]
        found[name] = {
            "twice": int(own.duplicated().sum()),
            "orphans": int(np.any(lost, axis=0).sum()) if len(foreign) else 0,
        }
    return found


class _Writer:
    def __init__(self, cohort: Cohort, keys: FolderKeys, seed: int) -> None:
        samples = cohort["relational"]
        if len(set(samples.subject_ids)) < len(samples):
            raise CohortError("Every subject needs one sample of linked tables.")
        payload: LinkedTables = samples.payload
        self.tables = in_time_order(payload)
        self.keys, self.cohort = keys, cohort
        self.subjects = cohort.subjects.loc[list(samples.subject_ids)]
        ids = [str(s) for s in samples.subject_ids]
        days = np.floor(seeding.uniform(seed, ids, 1, stream="index date")[:, 0] * _DAYS)
        self.index_date = (_FIRST + days.astype("timedelta64[D]")).astype("datetime64[s]")
        #: table -> (item, row) -> key
        self.numbers = {
            SUBJECT: pd.Series(
                self._names(SUBJECT, len(ids)),
                pd.MultiIndex.from_arrays([np.arange(len(ids)), np.full(len(ids), ROOT)]),
            )
        }

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return every table as it is written, by name."""
        found = {name: self._frame(name) for name in self.keys.tables}
        person = self._person()
        table, key = self.keys.subject.table, self.keys.subject.key
        if table in found:
            found[table] = found[table].merge(person, on=key, how="left")
            return found
        return {table: person, **found}

    def _names(self, table: str, n: int) -> np.ndarray:
        numbers = np.arange(1, n + 1)
        if not self.keys.text_keys:
            return numbers
        return np.array([f"{table}-{k}" for k in numbers], dtype=object)

    def _frame(self, name: str) -> pd.DataFrame:
        about, form = self.keys.tables[name], self.tables.form(name)
        frame = self.tables.frames[name]
        own = pd.MultiIndex.from_frame(frame[["item", "row"]])
        self.numbers[name] = pd.Series(self._names(name, len(frame)), own)
        columns: dict[str, object] = {}
        if about.key:
            columns[about.key] = self.numbers[name].to_numpy()
        for column, target in self._links(name).items():
            columns[column] = self._ancestor(name, target)
        if about.rank:
            columns[about.rank] = frame.groupby(["item", "parent"]).cumcount().to_numpy() + 1
        for column in form.schema.names:
            cells = frame[column]
            timed = column in form.times
            shown = self._times(cells, about.unit, frame["item"]) if timed else cells
            columns[_COLUMNS.get(column, column)] = shown
        return pd.DataFrame(columns)

    def _links(self, name: str) -> dict[str, str]:
        """Return the columns that hold keys of ancestors: column -> table or subject."""
        about = self.keys.tables[name]
        return {self.keys.foreign_key(name): about.parent, **about.copies}

    def _ancestor(self, name: str, target: str) -> np.ndarray:
        """Return the key of each row's ancestor in a table."""
        frame, at = self.tables.frames[name], name
        row = frame["row"].to_numpy()
        while at != target:
            here = self.tables.frames[at].set_index(["item", "row"])["parent"]
            row = here.loc[pd.MultiIndex.from_arrays([frame["item"], row])].to_numpy()
            at = self.keys.tables[at].parent
        where = pd.MultiIndex.from_arrays([frame["item"], row])
        return np.asarray(self.numbers[target].loc[where].to_numpy())

    def _times(self, hours: pd.Series, unit: str, item: pd.Series) -> object:
        if unit != "date":
            return (hours / HOURS[unit]).round().astype("Int64")
        return self._dates(hours, item.to_numpy())

    def _dates(self, hours: pd.Series, item: np.ndarray) -> pd.Series:
        # Seconds, not nanoseconds: those end in the year 2262.
        known = hours.notna().to_numpy()
        seconds = np.round(hours.fillna(0).to_numpy() * 3600).astype("timedelta64[s]")
        dates = self.index_date[item] + np.where(known, seconds, np.timedelta64("NaT", "s"))
        return pd.Series(dates)

    def _person(self) -> pd.DataFrame:
        about, item = self.keys.subject, np.arange(len(self.subjects))
        columns: dict[str, object] = {about.key: self.numbers[SUBJECT].to_numpy()}
        for field in self.cohort.schema:
            cells = self.subjects[field.name].reset_index(drop=True)
            if field.name == "age" and about.birth:
                columns[about.birth] = self._dates(-cells * _YEAR, item).dt.floor("D")
            elif field.name in about.times:
                columns[field.name] = self._dates(cells, item)
            else:
                columns[field.name] = cells
        return pd.DataFrame(columns)
