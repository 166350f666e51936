"""From a mapping and a folder to a cohort and a report of what was found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from casemix.core.cohort import Cohort, Provenance
from casemix.core.samples import Samples
from casemix.errors import CohortError, MappingError
from casemix.recipes.mapping.cells import joined_keys, known_keys
from casemix.recipes.mapping.files import ArrayFiles
from casemix.recipes.mapping.load import load_mapping
from casemix.recipes.mapping.parse import problem
from casemix.recipes.mapping.payloads import (
    Source,
    build_payload,
    check_some,
    schema_of,
    typed_columns,
)
from casemix.recipes.mapping.report import ImportReport, Ledger
from casemix.recipes.mapping.spec import MappingSpec, Records, SubjectsSpec
from casemix.recipes.mapping.tables import Tables, column
from casemix.recipes.mapping.times import dates, hours


@dataclass(frozen=True)
class _Subjects:
    """The subjects of the mapping's table.

    Args:
        frame: index ``subject_id``, the context fields.
        groups: split group of each, or None.
        starts: index time of each, or None.
        all_ids: every subject of the table, also those that a field dropped.
    """

    frame: pd.DataFrame
    groups: pd.Series | None
    starts: pd.Series | None
    all_ids: frozenset[str]


def import_cohort(mapping: MappingSpec | Path | str, root: Path) -> tuple[Cohort, ImportReport]:
    """Read a folder into a cohort, as a mapping says.

    Args:
        mapping: a mapping, the path of its YAML file, or the name of a shipped one.
        root: the folder that the mapping's file names start from.

    Raises:
        MappingError: a mistake in the mapping, or data that do not fit it.
        PayloadError: a picture that cannot be decoded.
        CohortError: repeated ids, samples of unknown subjects, or nothing left to import.
    """
    spec = mapping if isinstance(mapping, MappingSpec) else load_mapping(mapping)
    root = Path(root)
    if not root.is_dir():
        raise MappingError(f"There is no folder {root}.", next_step="Check --root.")
    ledger = Ledger()
    source = Source(Tables(root, spec.tables, ledger), ArrayFiles(root), ledger)
    subjects = _subjects(spec.subjects, source)
    samples = {
        modality: _samples(modality, records, subjects, source)
        for modality, records in spec.samples.items()
    }
    subjects, samples = _only_with(spec.subjects.only_with, subjects, samples, ledger)
    report = ledger.report(
        spec.about.name, len(subjects.frame), {m: len(s) for m, s in samples.items()}
    )
    facts = {
        "name": spec.about.name,
        "source": spec.about.source,
        "licence": spec.about.licence,
        "notes": spec.about.notes,
        "import": report.summary(),
    }
    cohort = Cohort(
        subjects.frame,
        schema_of(spec.subjects.fields, "subjects.fields"),
        samples,
        Provenance(spec.provenance),
        subjects.groups,
        {key: text for key, text in facts.items() if text},
    )
    return cohort, report


def _subjects(spec: SubjectsSpec, source: Source) -> _Subjects:
    rows = source.tables[spec.table]
    ids = known_keys(column(rows, spec.id, "subjects.id"), "subjects.id")
    if not ids.is_unique and spec.repeated == "error":
        raise CohortError(
            f"subjects: the table '{spec.table}' has several rows of a subject.",
            given=list(ids[ids.duplicated()].unique()[:5]),
            next_step="Say 'repeated: first' to take the first known value of each field, or "
            "make the table's rows distinct.",
        )
    place = "subjects.fields"
    frame, drop = typed_columns(spec.fields, rows, source.ledger, place)
    _note_disagreement(frame, ids, source.ledger, place)
    frame = _first_known(frame, ids)
    dropped = frame.index.isin(ids[drop])
    source.ledger.drop(place, dropped.sum(), len(frame), "a number outside its range")
    check_some(int((~dropped).sum()), place)
    return _Subjects(
        frame[~dropped],
        _groups(spec, rows, ids) if spec.group else None,
        _starts(spec, rows, ids) if spec.index_time else None,
        frozenset(frame.index),
    )


def _groups(spec: SubjectsSpec, rows: pd.DataFrame, ids: pd.Series) -> pd.Series:
    """Return the split group of each subject, indexed by subject id."""
    groups = known_keys(column(rows, spec.group, "subjects.group"), "subjects.group")
    of_subject = groups.groupby(ids.to_numpy(), sort=False)
    several = of_subject.nunique()
    if (several > 1).any():
        raise problem(
            "subjects.group",
            "a subject belongs to several groups.",
            given=list(several.index[several > 1][:5]),
            next_step="Give these groups one name, so that a split cannot part them.",
        )
    return of_subject.first()


def _starts(spec: SubjectsSpec, rows: pd.DataFrame, ids: pd.Series) -> pd.Series:
    """Return the index time of each subject, indexed by subject id."""
    place = "subjects.index_time"
    return dates(column(rows, spec.index_time, place), place).groupby(ids.to_numpy()).first()


def _first_known(frame: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    """Return one row per subject, in order of appearance: each column's first known cell."""
    first = frame.groupby(ids.to_numpy(), sort=False).first()
    first.index.name = "subject_id"
    return first


def _note_disagreement(frame: pd.DataFrame, ids: pd.Series, ledger: Ledger, place: str) -> None:
    if ids.is_unique:
        return
    for name in frame.columns:
        if frame[name].map(lambda cell: isinstance(cell, list)).any():
            continue
        differ = int((frame[name].groupby(ids.to_numpy()).nunique() > 1).sum())
        if differ:
            ledger.notes.append(
                f"{place}.{name}: subjects whose rows disagree, so that the first counts: {differ}"
            )


def _samples(modality: str, records: Records, subjects: _Subjects, source: Source) -> Samples:
    place = f"samples.{modality}"
    rows = source.tables[records.table]
    owners = known_keys(column(rows, records.subject, f"{place}.subject"), f"{place}.subject")
    rows, owners = _linked(rows, owners, records, subjects, source.ledger, place)
    ids = _ids(rows, owners, records, place)
    when = _time(rows, owners, records, subjects, place)
    fields, drop = typed_columns(records.fields, rows, source.ledger, f"{place}.fields")
    source.ledger.drop(f"{place}.fields", drop.sum(), len(rows), "a number outside its range")
    untimed = np.isnan(when) & ~drop
    source.ledger.drop(f"{place}.time", untimed.sum(), len(rows), "no time")
    keep = ~drop & ~np.isnan(when)
    check_some(int(keep.sum()), place)
    index = pd.DataFrame({"subject_id": owners, "time": when}, index=rows.index)
    index = pd.concat([index, fields], axis=1)[keep].set_axis(pd.Index(ids[keep], name="sample_id"))
    built = build_payload(records, rows[keep].reset_index(drop=True), source, place)
    schema = schema_of(records.fields, f"{place}.fields")
    return Samples(modality, index.iloc[built.kept], built.payload, schema)


def _linked(
    rows: pd.DataFrame,
    owners: pd.Series,
    records: Records,
    subjects: _Subjects,
    ledger: Ledger,
    place: str,
) -> tuple[pd.DataFrame, pd.Series]:
    """Return the rows whose subject the cohort has."""
    orphans = ~owners.isin(subjects.all_ids)
    if orphans.any() and records.orphans == "error":
        raise CohortError(
            f"{place}: {int(orphans.sum())} of {len(rows)} records belong to subjects that the "
            "subjects' table does not have.",
            given=list(owners[orphans].unique()[:5]),
            next_step="Complete the subjects' table, or say 'orphans: drop'.",
        )
    ledger.drop(place, orphans.sum(), len(rows), "their subject is not in the subjects' table")
    known = owners.isin(subjects.frame.index)
    ledger.drop(place, (~known & ~orphans).sum(), len(rows), "their subject was left out")
    check_some(int(known.sum()), place)
    return rows[known].reset_index(drop=True), owners[known].reset_index(drop=True)


def _ids(rows: pd.DataFrame, owners: pd.Series, records: Records, place: str) -> np.ndarray:
    parts = [known_keys(column(rows, c, f"{place}.id"), f"{place}.id") for c in records.id]
    ids = joined_keys(parts, "-") if parts else owners
    if not ids.is_unique:
        raise CohortError(
            f"{place}: several records have the same id.",
            given=list(ids[ids.duplicated()].unique()[:5]),
            next_step="Name the column (or columns) under 'id' that tell the records apart.",
        )
    return ids.to_numpy(dtype=object)


def _time(
    rows: pd.DataFrame, owners: pd.Series, records: Records, subjects: _Subjects, place: str
) -> np.ndarray:
    """Return hours since the index time, NaN for records to be dropped."""
    spec, place = records.time, f"{place}.time"
    if spec is None:
        return np.zeros(len(rows))
    origin = None
    if spec.unit == "date" and spec.since == "index_time":
        if subjects.starts is None:
            raise problem(
                place,
                "dates need a beginning.",
                next_step="Name 'subjects.index_time', or say 'since: first_record'.",
            )
        origin = pd.to_datetime(owners.map(subjects.starts))
    when = hours(column(rows, spec.column, f"{place}.column"), spec, origin, owners, place)
    absent = int(np.isnan(when).sum())
    if absent and spec.unknown == "error":
        raise problem(
            place,
            f"{absent} of {len(rows)} records have no time.",
            next_step="Say 'unknown: zero' or 'unknown: drop'.",
        )
    return np.nan_to_num(when) if spec.unknown == "zero" else when


def _only_with(
    wanted: tuple[str, ...], subjects: _Subjects, samples: dict[str, Samples], ledger: Ledger
) -> tuple[_Subjects, dict[str, Samples]]:
    """Return the subjects that have a record in each wanted modality, and their samples."""
    frame = subjects.frame
    keep = np.ones(len(frame), dtype=bool)
    for modality in wanted:
        having = frame.index.isin(samples[modality].subject_ids)
        ledger.drop("subjects.only_with", (keep & ~having).sum(), len(frame), f"no {modality}")
        keep &= having
    if keep.all():
        return subjects, samples
    kept = frame.index[keep]
    chosen = {}
    for modality, whole in samples.items():
        mine = np.flatnonzero(np.isin(whole.subject_ids.astype(str), kept.astype(str)))
        ledger.drop(
            f"samples.{modality}", len(whole) - len(mine), len(whole), "their subject was left out"
        )
        check_some(len(mine), f"samples.{modality}")
        chosen[modality] = whole.take(mine)
    return _Subjects(frame[keep], subjects.groups, subjects.starts, subjects.all_ids), chosen
