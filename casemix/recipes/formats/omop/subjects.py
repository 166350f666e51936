"""The persons of OMOP tables as subjects: index time, age, sex, race and other context."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.core.fields import Field, Kind, Schema
from casemix.errors import CohortError
from casemix.recipes.formats.omop.clinical import INDEX_TIME
from casemix.recipes.formats.omop.facts import CONTEXT
from casemix.recipes.formats.omop.people import YEAR
from casemix.recipes.formats.omop.source import first_known

#: Concept of a sex -> its level.
SEX = {8507: "M", 8532: "F"}


def with_index(
    person: pd.DataFrame, records: pd.DataFrame, *, ours: bool, notes: list[str]
) -> pd.DataFrame:
    """Return the persons that have records, indexed by person_id.

    Adds ``subject``, the subject's id, and ``index``, its index time. The id is the
    ``person_source_value`` in a folder that casemix wrote; elsewhere that may be a patient's
    number in the hospital, so that it is the ``person_id``.

    Args:
        person: the person table.
        records: ``person``, ``moment`` and ``code``.
        ours: whether casemix wrote the folder.
        notes: takes up how many persons have no record.

    Raises:
        CohortError: a person twice, or no person has a record.
    """
    if not person["person_id"].is_unique:
        twice = person["person_id"][person["person_id"].duplicated()]
        raise CohortError("The person table repeats a person_id.", given=list(twice[:5]))
    ids = person["person_source_value"] if ours else person["person_id"].astype(str)
    person = person.assign(subject=ids).set_index(person["person_id"].astype(int))
    marks = records[records["code"] == INDEX_TIME] if ours else records
    first = marks.groupby(marks["person"].astype(int))["moment"].min()
    person = person.assign(index=first.reindex(person.index).to_numpy())
    without = person["index"].isna()
    if without.all():
        raise CohortError(
            "No person has a record.",
            given=f"{len(person)} persons",
            next_step="Name the files for their tables: measurement.csv, visit_occurrence.csv ...",
        )
    if without.any():
        notes.append(f"Persons without any record, left out: {int(without.sum())}.")
    return person[~without]


def subjects_of(
    person: pd.DataFrame, context: pd.DataFrame, notes: list[str]
) -> tuple[pd.DataFrame, Schema]:
    """Return the subjects: age in years at the index time, sex, race, ethnicity, other context.

    Args:
        person: what `with_index` returned.
        context: records of context fields that casemix wrote.
        notes: takes up how many ages cannot be.
    """
    age = _ages(person, notes)
    sex = first_known(person["gender_source_value"], person["gender_concept_id"].map(SEX))
    levelled = {
        "sex": sex,
        "race": person["race_source_value"],
        "ethnicity": person["ethnicity_source_value"],
    }
    found = [(Field("age", Kind.NUMERIC, "a"), age.round(6))]
    found += [(_levelled(n, cells), cells) for n, cells in levelled.items() if cells.notna().any()]
    rows = context[context["code"] != INDEX_TIME]
    for code, cells in rows.groupby("code"):
        found.append(_context_field(str(code).removeprefix(CONTEXT), cells, person.index))
    frame = pd.DataFrame({field.name: cells for field, cells in found}, index=person.index)
    ids = pd.Index(person["subject"], name="subject_id", dtype=object)
    return frame.set_index(ids), Schema(tuple(field for field, _ in found))


def hours_since_index(records: pd.DataFrame, person: pd.DataFrame) -> np.ndarray:
    """Return the time of records in hours since their person's index time."""
    start = person["index"].loc[records["person"].astype(int)].to_numpy()
    return (records["moment"].to_numpy() - start) / np.timedelta64(3_600_000_000, "us")


def _ages(person: pd.DataFrame, notes: list[str]) -> pd.Series:
    """Return ages in years at the index time; missing where a person is not born by then.

    A birth that follows the first record by less than a year counts as age 0: often no more than
    its year is known.
    """
    age = (person["index"] - _born(person)).dt.total_seconds() / (3600.0 * YEAR)
    unborn = int((age <= -1).sum())
    if unborn:
        notes.append(f"Born a year or more after their first record, age left empty: {unborn}.")
    return age.where(age > -1).clip(lower=0)


def _born(person: pd.DataFrame) -> pd.Series:
    """Return the time of birth; the middle of the year or month where no more is known."""
    month = person["month_of_birth"].astype(float)
    day = person["day_of_birth"].astype(float).where(month.notna())
    parts = {
        "year": person["year_of_birth"].astype(float),
        "month": month.fillna(7),
        "day": day.fillna(month.isna().map({True: 1.0, False: 15.0})),
    }
    return person["birth_datetime"].fillna(pd.to_datetime(pd.DataFrame(parts), errors="coerce"))


def _context_field(name: str, cells: pd.DataFrame, persons: pd.Index) -> tuple[Field, pd.Series]:
    owner = cells["person"].astype(int)
    if cells["value"].notna().any():
        unit = cells["unit"].dropna()
        field = Field(name, Kind.NUMERIC, str(unit.iloc[0]) if len(unit) else "")
        return field, cells["value"].groupby(owner).first().reindex(persons)
    if owner.is_unique:
        text = cells["text"].set_axis(owner).reindex(persons)
        return _levelled(name, text), text
    return Field(name, Kind.CODES), cells["text"].groupby(owner).agg(list).reindex(persons)


def _levelled(name: str, cells: pd.Series) -> Field:
    levels = tuple(sorted(cells.dropna().astype(str).unique()))
    for pair in (("no", "yes"), ("F", "M")):
        if set(levels) <= set(pair):
            return Field(name, Kind.BINARY, levels=pair)
    return Field(name, Kind.CATEGORICAL, levels=levels)
