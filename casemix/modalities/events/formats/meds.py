"""MEDS in and out: the Medical Event Data Standard, checked by its own package.

::

    root/
      data/<split>/<shard>.parquet      subject_id, time, code, numeric_value, text_value
      metadata/dataset.json             name, version, standard
      metadata/codes.parquet            code, description, parent_codes
      metadata/subject_splits.parquet   subject_id, split

In a cohort, hours count from a subject's first event after birth; birth becomes the age at that
time, and events without a time become fields of the subject. Absolute dates never enter a cohort:
the dates of an export are drawn, one per subject.

Reference:
    McDermott et al., MEDS: Building models and tools in a reproducible health AI ecosystem, 2024;
    https://github.com/Medical-Event-Data-Standard/meds (schema 0.4).
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import meds
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from flexible_schema.exceptions import SchemaValidationError

from casemix.core.cohort import Cohort, Provenance
from casemix.core.fields import Field, Kind, Schema
from casemix.core.files import read_json
from casemix.core.samples import Samples
from casemix.errors import ArtifactError, CohortError
from casemix.modalities.events.data import Events
from casemix.modalities.events.formats.meds_out import ETL, write_meds

__all__ = ["from_rows", "read_meds", "write_meds"]

_YEAR = 365.25 * 24  # hours
_PARTING = "//"
_SEX = ("GENDER", "SEX")


def read_meds(root: Path, *, split: str | None = None) -> tuple[Cohort, list[str]]:
    """Return a MEDS data set as a cohort of event streams, and what was left out or changed.

    Args:
        root: the folder that holds ``data/`` and ``metadata/``.
        split: read the subjects of this split alone (``train``, ``tuning``, ``held_out``).

    Raises:
        ArtifactError: no MEDS data set, or one that breaks the schema.
        CohortError: no subject with an event that has a time.
    """
    root = Path(root)
    rows = _read_shards(root)
    if split is not None:
        splits = _split_of(root)
        rows = rows[rows["subject_id"].map(splits) == split]
    cohort, notes = from_rows(rows, name=root.name)
    return replace(cohort, provenance=_provenance(root)), notes


def _provenance(root: Path) -> Provenance:
    """Return what casemix wrote into the name of a data set of its own; others are real."""
    path = root / meds.dataset_metadata_filepath
    about = read_json(path) if path.is_file() else {}
    found = re.search(r"\((\w+)\)$", str(about.get("dataset_name", "")))
    ours = about.get("etl_name") == ETL and found is not None and found[1] in list(Provenance)
    return Provenance(found[1]) if ours and found else Provenance.REAL


def from_rows(rows: pd.DataFrame, *, name: str = "MEDS") -> tuple[Cohort, list[str]]:
    """Return MEDS rows as a cohort, and what was left out or changed.

    Args:
        rows: ``subject_id``, ``time``, ``code``, ``numeric_value`` and perhaps ``text_value``.
        name: of the data set, for its card.
    """
    rows = rows.assign(code=rows["code"].astype(str), time=pd.to_datetime(rows["time"]))
    is_birth = rows["code"] == meds.birth_code
    births = rows[is_birth].groupby("subject_id")["time"].min()
    timed = rows[~is_birth & rows["time"].notna()]
    if timed.empty:
        raise CohortError("The data set has no event with a time.", given=f"{len(rows)} rows")
    starts = timed.groupby("subject_id")["time"].min()
    ids = pd.Index([str(i) for i in starts.index], name="subject_id", dtype=object)
    fields, columns = _static(rows[rows["time"].isna() & ~is_birth], starts.index)
    if len(births):
        fields.insert(0, Field("age", Kind.NUMERIC, "a", description="Age at the first event"))
        age = (starts - births.reindex(starts.index)).dt.total_seconds() / 3600 / _YEAR
        columns["age"] = age.round(1).to_numpy()
    schema = Schema(tuple(fields))
    subjects = pd.DataFrame(columns, index=ids)[list(schema.names)]
    keys = pd.DataFrame({"subject_id": ids, "time": 0.0}, index=[f"{i}.events" for i in ids])
    samples = Samples("events", keys, _events(timed, starts))
    about = {"name": name, "source": "MEDS", "licence": "see the data set"}
    return Cohort(subjects, schema, {"events": samples}, about=about), _notes(rows, starts)


def _read_shards(root: Path) -> pd.DataFrame:
    paths = sorted((root / meds.data_subdirectory).rglob("*.parquet"))
    if not paths:
        raise ArtifactError(
            f"{root} is not a MEDS data set: it has no {meds.data_subdirectory}/*.parquet.",
            next_step="Name the folder that holds data/ and metadata/.",
        )
    parts, seen = [], pd.Index([], dtype="int64")
    for path in paths:
        part = _read_shard(path)
        own = pd.Index(part["subject_id"].unique())
        if len(seen.intersection(own)):
            raise ArtifactError(
                f"A subject is in two shards, the second of which is {path.name}.",
                given=list(seen.intersection(own)[:3]),
            )
        seen = seen.union(own)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _read_shard(path: Path) -> pd.DataFrame:
    try:
        table = meds.DataSchema.align(_plain_codes(pq.read_table(path)))
    except (SchemaValidationError, pa.ArrowInvalid, OSError) as error:
        raise ArtifactError(f"{path.name} breaks the MEDS schema.", given=str(error)) from error
    part = table.to_pandas()
    for column in ("numeric_value", "text_value"):
        if column not in part:
            part[column] = np.nan if column == "numeric_value" else None
    subject, time = part["subject_id"], part["time"]
    if (subject != subject.shift()).sum() != subject.nunique():
        raise ArtifactError(f"The rows of a subject in {path.name} do not follow each other.")
    if (time.groupby(subject).diff() < pd.Timedelta(0)).any():
        raise ArtifactError(f"The rows of a subject in {path.name} are not sorted by time.")
    return part


def _plain_codes(table: pa.Table) -> pa.Table:
    """Return the table with dictionary-encoded codes as plain text."""
    at = table.schema.get_field_index("code")
    if at < 0 or not pa.types.is_dictionary(table.schema.field(at).type):
        return table
    return table.set_column(at, "code", table["code"].cast(pa.string()))


def _split_of(root: Path) -> dict[int, str]:
    path = root / meds.subject_splits_filepath
    if not path.is_file():
        raise ArtifactError(f"{root} names no splits: {meds.subject_splits_filepath} is absent.")
    table = meds.SubjectSplitSchema.align(pq.read_table(path)).to_pandas()
    return dict(zip(table["subject_id"], table["split"], strict=True))


def _events(timed: pd.DataFrame, starts: pd.Series) -> Events:
    place = pd.Series(np.arange(len(starts)), index=starts.index)
    hours = (timed["time"] - timed["subject_id"].map(starts)).dt.total_seconds() / 3600
    value = timed["numeric_value"].astype(float)
    frame = pd.DataFrame(
        {
            "item": timed["subject_id"].map(place).to_numpy(),
            "hours": hours.to_numpy(),
            "code": timed["code"].to_numpy(),
            "value": value.where(np.isfinite(value)).to_numpy(),
        }
    ).sort_values(["item", "hours"], kind="stable")
    measured = frame.loc[frame["value"].notna(), "code"].unique()
    units = {code: unit for code in measured if (unit := _unit(code))}
    return Events(frame, len(starts), units)


def _unit(code: str) -> str:
    """Return the unit that MEDS codes of laboratories end with, or nothing."""
    parts = code.split(_PARTING, 2)
    return parts[2] if len(parts) == 3 and parts[2] != "UNK" else ""


def _static(
    rows: pd.DataFrame, subjects: pd.Index
) -> tuple[list[Field], dict[str, np.ndarray | list[Any]]]:
    """Return the fields of events without a time, and their columns."""
    fields: list[Field] = []
    columns: dict[str, np.ndarray | list[Any]] = {}
    kind = rows["code"].str.split(_PARTING).str[0]
    for prefix, part in rows.groupby(kind.to_numpy()):
        name = _field_name(str(prefix))
        known = part.drop_duplicates("subject_id").set_index("subject_id").reindex(subjects)
        if known["numeric_value"].notna().any():
            fields.append(Field(name, Kind.NUMERIC))
            columns[name] = known["numeric_value"].to_numpy(dtype=float)
            continue
        level = known["code"].str.partition(_PARTING)[2]
        levels = tuple(sorted(level.dropna().unique()))
        fields.append(Field(name, Kind.CATEGORICAL, levels=levels))
        columns[name] = [None if pd.isna(cell) else cell for cell in level]
    return fields, columns


def _field_name(prefix: str) -> str:
    if prefix.upper() in _SEX:
        return "sex"
    return re.sub(r"[^a-z0-9]+", "_", prefix.lower()).strip("_") or "field"


def _notes(rows: pd.DataFrame, starts: pd.Series) -> list[str]:
    found = []
    without = rows["subject_id"].nunique() - len(starts)
    if without:
        found.append(f"{without} subjects without an event that has a time were left out.")
    if "text_value" in rows and rows["text_value"].notna().any():
        count = int(rows["text_value"].notna().sum())
        found.append(f"The text values of {count} events were left out.")
    return found
