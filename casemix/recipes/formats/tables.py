"""A cohort as a folder of plain tables, CSV or parquet, and back.

::

    out/
      README.md               what the patients are, and what was left out
      casemix.json            provenance, schemas, types: what casemix reads the folder by
      fields.csv              kind, unit, levels and range of each column, for people and tools
      subjects.csv            one row per subject
      tabular.csv  text.csv   one row per sample: ids, time, record-level fields, content
      events_samples.csv      one row per sample: ids, time, record-level fields
      events.csv              one row per event; likewise timeseries.csv, relational_TABLE.csv
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa

from casemix import __version__
from casemix.core.cohort import Cohort, Provenance
from casemix.core.fields import Schema
from casemix.core.files import atomic_folder, atomic_json, read_json
from casemix.errors import ArtifactError
from casemix.recipes.formats.fields_table import fields_table
from casemix.recipes.formats.nesting import as_text
from casemix.recipes.formats.readme import write_readme
from casemix.recipes.formats.sample_tables import (
    Reader,
    index_table,
    read_index,
    read_samples,
    sample_tables,
)
from casemix.recipes.formats.table_files import find_table, read_table, write_table

FORMAT = "casemix tables 1"
_ABOUT = "casemix.json"
_GROUP = "split_group"


def write_csv(cohort: Cohort, out: Path) -> list[str]:
    """Write a folder of CSV files and return what of the cohort is not in it.

    Raises:
        ArtifactError: a modality or table whose name cannot be a file's name.
        FileExistsError: the folder exists.
    """
    return _write(cohort, out, ".csv")


def write_parquet(cohort: Cohort, out: Path) -> list[str]:
    """Write a folder of parquet files; as `write_csv`."""
    return _write(cohort, out, ".parquet")


def read(root: Path) -> tuple[Cohort, list[str]]:
    """Read a folder that `write_csv` or `write_parquet` wrote.

    Raises:
        ArtifactError: another folder, a file that is missing or damaged, a cell of another type.
        CasemixError: content that does not fit the schemas, as for any cohort.
    """
    root = Path(root)
    about = _about(root)
    try:
        return _cohort(about, _reader(root)), []
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ArtifactError(f"{root / _ABOUT} is damaged.", given=repr(error)) from error


def _write(cohort: Cohort, out: Path, ending: str) -> list[str]:
    tables = {"subjects": _subjects_table(cohort)}
    notes, modalities = [], {}
    for modality, samples in cohort.samples.items():
        found = sample_tables(modality, samples)
        if found is None:
            notes.append(
                f"{modality}: no plain table can hold it; {len(samples)} samples left out."
            )
            continue
        modalities[modality], parts = found
        tables |= parts
    about = {
        "format": FORMAT,
        "casemix": __version__,
        "provenance": str(cohort.provenance),
        "about": dict(cohort.about),
        "schema": cohort.schema.to_json(),
        "modalities": modalities,
    }
    with atomic_folder(out) as draft:
        for name, table in tables.items():
            write_table(as_text(table), draft, _file_name(name), ending)
        write_table(fields_table(about), draft, "fields", ".csv")
        atomic_json(draft / _ABOUT, about)
        write_readme(draft, cohort, f"Tables in {ending.removeprefix('.')} files.", notes)
    return notes


def _subjects_table(cohort: Cohort) -> pa.Table:
    frame = cohort.subjects
    if cohort.groups is not None:
        frame = frame.assign(**{_GROUP: cohort.groups.reindex(frame.index).astype(str)})
    return index_table(frame.rename_axis("subject_id").reset_index(), cohort.schema)


def _about(root: Path) -> dict[str, Any]:
    if not (root / _ABOUT).is_file():
        raise ArtifactError(
            f"{root} is not a folder of tables that casemix wrote: it has no {_ABOUT}.",
            next_step="For tables of another origin write a mapping: see docs/import.md.",
        )
    about = read_json(root / _ABOUT)
    if about.get("format") != FORMAT:
        raise ArtifactError(
            f"{root} has an unknown format.", given=about.get("format"), allowed=FORMAT
        )
    return about


def _cohort(about: dict[str, Any], reader: Reader) -> Cohort:
    schema = Schema.from_json(about["schema"])
    subjects = read_index("subjects", schema, reader, keys=("subject_id",), optional=_GROUP)
    subjects = subjects.set_index("subject_id")
    samples = {m: read_samples(m, entry, reader) for m, entry in about["modalities"].items()}
    return Cohort(
        subjects,
        schema,
        samples,
        Provenance(about["provenance"]),
        subjects.get(_GROUP),
        about["about"],
    )


def _reader(root: Path) -> Reader:
    def reader(name: str, columns: list[str], optional: list[str]) -> pa.Table:
        path = find_table(root, _file_name(name))
        if path is None:
            raise ArtifactError(
                f"{root} lacks the table '{name}'.", given=sorted(p.name for p in root.iterdir())
            )
        return read_table(path, columns, optional=optional)

    return reader


def _file_name(name: str) -> str:
    """Return a table's name if it can be a file's: names must not lead elsewhere."""
    if not re.fullmatch(r"[A-Za-z0-9_]{1,80}", name):
        raise ArtifactError(
            f"'{name}' cannot be the name of a file.", allowed="letters, digits and _"
        )
    return name
