"""A cohort as OMOP CDM 5.4 tables: one CSV file per table."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from casemix import __version__
from casemix.core.cohort import Cohort
from casemix.core.files import atomic_folder
from casemix.recipes.formats.omop import rows
from casemix.recipes.formats.omop.check import check_tables
from casemix.recipes.formats.omop.clinical import clinical_tables
from casemix.recipes.formats.omop.codebook import VOCABULARY, Codebook
from casemix.recipes.formats.omop.facts import facts
from casemix.recipes.formats.omop.people import People, own_fields, people_of
from casemix.recipes.formats.omop.spec import SOURCE_LENGTH
from casemix.recipes.formats.readme import LABELS, write_readme
from casemix.recipes.formats.table_files import write_table

_VERSION_CONCEPT = 756265  # OMOP CDM Version 5.4.0
_UTF8 = 32678  # note encoding
#: The record-level field of notes that OMOP has a place for.
NOTE_TYPE = "note_type"


def write(cohort: Cohort, out: Path, *, seed: int = 0) -> list[str]:
    """Write a cohort as OMOP CDM 5.4 and return what of it could not be written.

    Persons get integer ids and an index date each that depends on nothing but the seed and the
    subject's id; a cohort has no dates of its own, so that none can come out. Codes stand in the
    fields ``..._source_value``, the concept ids are 0: no vocabulary is shipped.
    ``source_to_concept_map`` lists every code, ready for mapping.

    Raises:
        CohortError: no subject's age is known, a code is too long, a time is absurd.
        FileExistsError: the folder exists.
    """
    tables, notes = omop_tables(cohort, seed=seed)
    with atomic_folder(out) as draft:
        for name, table in tables.items():
            write_table(table, draft, name, ".csv")
        write_readme(draft, cohort, "OMOP Common Data Model 5.4, one CSV file per table.", notes)
    return notes


def omop_tables(cohort: Cohort, *, seed: int) -> tuple[dict[str, pa.Table], list[str]]:
    """Return the tables, checked against the model, and notes for a person."""
    own = own_fields(cohort)
    found, notes = facts(cohort, tuple(own.values()))
    births = found[found["domain"] == "birth"].groupby("subject")["hours"].first()
    people = people_of(cohort, births, own, seed)
    if not people.kept.all():
        notes.append(f"Left out for want of an age: {int((~people.kept).sum())} subjects.")
    found = found[people.kept[found["subject"].to_numpy(dtype=int)]].reset_index(drop=True)
    codebook = Codebook()
    tables = {"person": rows.table("person", people.frame, len(people.frame))}
    tables |= clinical_tables(found, people, codebook)
    if "text" in cohort.samples:
        tables["note"] = _notes(cohort, people, codebook, notes)
    tables["observation_period"] = _periods(tables)
    tables["source_to_concept_map"] = codebook.table()
    tables["cdm_source"] = _source(cohort)
    check_tables(tables)
    long_ids = sum(len(s) > SOURCE_LENGTH for s in cohort.subjects.index)
    if long_ids:
        notes.append(f"Subject ids of more than 50 characters, written short: {long_ids}.")
    if codebook.shortened:
        notes.append(
            f"Codes of more than 50 characters: {codebook.shortened}; they are written short, and "
            "whole in source_to_concept_map."
        )
    notes.append(
        "Concept ids are 0 except sex, race, ethnicity and kind of visit: no vocabulary is shipped."
    )
    return tables, notes


def _notes(cohort: Cohort, people: People, codebook: Codebook, notes: list[str]) -> pa.Table:
    samples = cohort["text"]
    subject = cohort.subjects.index.get_indexer(pd.Index(samples.subject_ids))
    kept = people.kept[subject]
    subject, index = subject[kept], samples.index[kept].reset_index(drop=True)
    columns = {
        "note_id": np.arange(1, len(subject) + 1),
        "person_id": people.person[subject],
        **rows.dated("note", pd.Series(people.moment(subject, index["time"].to_numpy()))),
        "note_type_concept_id": rows.EHR,
        "note_class_concept_id": 0,
        "note_text": pd.Series(samples.payload.texts, dtype=object)[kept].reset_index(drop=True),
        "encoding_concept_id": _UTF8,
        "language_concept_id": 0,
    }
    if NOTE_TYPE in samples.schema:
        columns["note_source_value"] = codebook.texts(index[NOTE_TYPE].astype(object))
    others = [name for name in samples.schema.names if name != NOTE_TYPE]
    if others:
        notes.append(f"Fields of the notes that are left out: {', '.join(others)}.")
    return rows.table("note", columns, len(subject))


def _periods(tables: Mapping[str, pa.Table]) -> pa.Table:
    """Return one observation period per person: from the first to the last record."""
    days = []
    for table in tables.values():
        for column in (n for n in table.column_names if n.endswith("_date")):
            days.append(
                table.select(["person_id", column]).to_pandas().set_axis(["person", "day"], axis=1)
            )
    day = pd.concat([d for d in days if d["day"].notna().any()], ignore_index=True)
    day = day.assign(day=day["day"].astype("datetime64[s]")).dropna()
    spans = day.groupby("person")["day"].agg(["min", "max"])
    columns = {
        "observation_period_id": np.arange(1, len(spans) + 1),
        "person_id": spans.index.to_numpy(),
        "observation_period_start_date": spans["min"].reset_index(drop=True),
        "observation_period_end_date": spans["max"].reset_index(drop=True),
        "period_type_concept_id": rows.EHR,
    }
    return rows.table("observation_period", columns, len(spans))


def _source(cohort: Cohort) -> pa.Table:
    kind = cohort.provenance
    said = LABELS[kind]
    today = datetime.date.today()
    columns = {
        "cdm_source_name": f"{said} {cohort.about.get('name', 'cohort')}"[:255],
        "cdm_source_abbreviation": str(kind),
        "cdm_holder": f"casemix {__version__}",
        "source_description": f"{said} Index dates are made up.",
        "cdm_etl_reference": f"{VOCABULARY} {__version__} {kind}",
        "source_release_date": today,
        "cdm_release_date": today,
        "cdm_version": "5.4",
        "cdm_version_concept_id": _VERSION_CONCEPT,
        "vocabulary_version": "none",
    }
    return rows.table("cdm_source", columns, 1)
