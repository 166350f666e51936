"""OMOP CDM 5.4 tables as a cohort: persons, their events and their notes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from casemix.core import registry
from casemix.core.cohort import Cohort, Provenance
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples
from casemix.errors import ArtifactError, CohortError
from casemix.recipes.formats.omop.concepts import read_concepts
from casemix.recipes.formats.omop.export import NOTE_TYPE
from casemix.recipes.formats.omop.facts import CONTEXT
from casemix.recipes.formats.omop.foreign import described, foreign_records
from casemix.recipes.formats.omop.records import (
    origin,
    own_records,
    whole_codes,
    written_notes,
)
from casemix.recipes.formats.omop.rows import SHAPES
from casemix.recipes.formats.omop.source import read_frame, read_text
from casemix.recipes.formats.omop.subjects import hours_since_index, subjects_of, with_index
from casemix.recipes.formats.table_files import ENDINGS

_PERSON = ("person_id", "gender_concept_id", "year_of_birth")
_PERSON_TOO = (
    *("month_of_birth", "day_of_birth", "birth_datetime", "race_concept_id"),
    *("ethnicity_concept_id", "person_source_value", "gender_source_value"),
    *("race_source_value", "ethnicity_source_value"),
)
#: Some tools write 0001-01-01 or 9999-12-31 for no date; shifted dates lie in the years to 2300.
_FIRST_YEAR, _LAST_YEAR = 1800, 2500
_READ = ("person", "visit_occurrence", "death", "note", "cdm_source", "concept", *SHAPES)
_READ_OURS = (*_READ, "visit_detail", "source_to_concept_map", "observation_period")


def read(root: Path) -> tuple[Cohort, list[str]]:
    """Read a folder of OMOP CDM tables (CSV, TSV or parquet files named for their tables).

    A folder that casemix wrote gives its codes, times and values back. In others, of version 5.3
    or 5.4, a code is ``CONDITION//``, ``DRUG//``, ``PROCEDURE//``, ``MEASUREMENT//``,
    ``OBSERVATION//``, ``VISIT_START//`` or ``VISIT_END//`` and the source value (without one, the
    concept); texts and units of values follow it. A person's index time is the first record.

    Returns:
        The cohort, and what was left out or looks wrong.

    Raises:
        ArtifactError: no ``person`` table, or a table that is damaged.
        CohortError: records of persons that do not exist, or no records at all.
    """
    root = Path(root)
    person = read_frame(root, "person", _PERSON, _PERSON_TOO) if root.is_dir() else None
    if person is None:
        raise ArtifactError(
            f"{root} is not a folder of OMOP tables: it has no person table.",
            allowed="person.csv or person.parquet, and the other tables beside it",
            next_step="Check --root.",
        )
    provenance = origin(root)
    ours = provenance is not None
    codes = whole_codes(root) if ours else {}
    notes = _unread(root, _READ_OURS if ours else _READ)
    if ours:
        records = own_records(root, person, codes)
    else:
        concepts = read_concepts(root)
        person = described(person, concepts)
        records = foreign_records(root, concepts, notes)
    records = _usable(records, "records", person, notes)
    written = _usable(written_notes(root, codes), "notes", person, notes)
    timed = records if ours else _together(records, written)
    person = with_index(person, timed, ours=ours, notes=notes)
    context = records["code"].str.startswith(CONTEXT) & ours
    subjects, schema = subjects_of(person, records[context], notes)
    samples = (_events(records[~context], person), _texts(written, person))
    cohort = Cohort(
        subjects,
        schema,
        {s.modality: s for s in samples if s is not None},
        provenance or Provenance.REAL,
        about={"name": root.name, "source": "OMOP CDM tables"},
    )
    return cohort, notes


def is_folder(root: Path) -> bool:
    """Return whether a folder holds OMOP tables: a person table with the model's fields."""
    try:
        return read_text(root, "person", _PERSON, ()) is not None
    except ArtifactError:
        return False


def _together(*parts: pd.DataFrame) -> pd.DataFrame:
    full = [part[["person", "moment", "code"]] for part in parts if len(part)]
    return pd.concat(full, ignore_index=True) if full else parts[0]


def _unread(root: Path, known: tuple[str, ...]) -> list[str]:
    files = (p.name.lower() for p in root.iterdir())
    tables = {name.partition(".")[0] for name in files if name.endswith(ENDINGS)}
    others = sorted(tables - set(known))
    return [f"Tables that are not read: {', '.join(others)}."] if others else []


def _usable(
    records: pd.DataFrame, what: str, person: pd.DataFrame, notes: list[str]
) -> pd.DataFrame:
    """Return the records that have a time and a code."""
    orphans = ~records["person"].isin(person["person_id"])
    if orphans.any():
        raise CohortError(
            f"{int(orphans.sum())} {what} belong to persons that the person table does not have.",
            given=list(records["person"][orphans].unique()[:5]),
            next_step="Complete the person table, or take these rows out.",
        )
    dated = records["moment"].dt.year.between(_FIRST_YEAR, _LAST_YEAR)
    keep = dated & records["code"].notna()
    if not dated.all():
        years = f"{_FIRST_YEAR} to {_LAST_YEAR}"
        notes.append(f"Without a date in the years {years}: {int((~dated).sum())} {what}.")
    if (dated & ~keep).any():
        lost = int((dated & ~keep).sum())
        notes.append(f"With neither source value nor concept: {lost} {what}.")
    return records[keep]


def _events(records: pd.DataFrame, person: pd.DataFrame) -> Samples | None:
    if records.empty:
        return None
    records, units = _one_unit_per_code(records)
    owner = records["person"].astype(int)
    order = person.index[person.index.isin(owner)]
    frame = pd.DataFrame(
        {
            "item": order.get_indexer(pd.Index(owner)),
            "hours": hours_since_index(records, person),
            "code": records["code"].to_numpy(dtype=object),
            "value": records["value"].to_numpy(dtype=float, na_value=np.nan),
        }
    ).sort_values(["item", "hours"], kind="stable", ignore_index=True)
    subject = person["subject"].loc[order].astype(str)
    keys = pd.DataFrame({"subject_id": subject.to_numpy(), "time": 0.0}, index=subject + ".events")
    return Samples("events", keys, registry.payload_type("events")(frame, len(order), units))


def _one_unit_per_code(records: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the records and the unit of each code; a code of several units is told apart."""
    pairs = records[["code", "unit"]].dropna().drop_duplicates()
    several = pairs.loc[pairs["code"].duplicated(keep=False), "code"]
    mixed = records["code"].isin(several) & records["unit"].notna()
    code = records["code"].where(~mixed, records["code"] + "//" + records["unit"].astype(object))
    records = records.assign(code=code)
    pairs = records[["code", "unit"]].dropna().drop_duplicates()
    return records, dict(zip(pairs["code"], pairs["unit"], strict=True))


def _texts(written: pd.DataFrame, person: pd.DataFrame) -> Samples | None:
    """Return the notes; ``note_source_value`` is the field ``note_type``."""
    written = written[written["text"].notna()]
    if written.empty:
        return None
    subject = person["subject"].loc[written["person"].astype(int)].to_numpy(dtype=object)
    ids = pd.Index([f"note-{code}" for code in written["code"]])
    keys = pd.DataFrame({"subject_id": subject, "time": hours_since_index(written, person)}, ids)
    levels = tuple(sorted(written["type"].dropna().unique()))
    schema = Schema((Field(NOTE_TYPE, Kind.CATEGORICAL, levels=levels),) if levels else ())
    if levels:
        keys[NOTE_TYPE] = written["type"].to_numpy(dtype=object)
    notes = registry.payload_type("text")(tuple(written["text"]))
    return Samples("text", keys, notes, schema)
