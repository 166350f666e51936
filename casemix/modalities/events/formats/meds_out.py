"""MEDS out: see `casemix.modalities.events.formats.meds`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import meds
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from casemix.core import seeding
from casemix.core.cohort import Cohort, Provenance
from casemix.core.fields import Kind
from casemix.core.files import atomic_folder
from casemix.errors import CohortError

_YEAR = 365.25 * 24  # hours
_PARTING = "//"
_SHARD = 1000  # subjects
#: Ids of an export of subjects who are not real; no real data set counts that far.
FIRST_SYNTHETIC_ID = 10**15
ETL = "casemix"
_FIRST_DAY, _DAYS = np.datetime64("2100-01-01", "D"), 36_524  # index times of an export


def write_meds(
    cohort: Cohort, out: Path, *, seed: int = 0, splits: Mapping[str, str] | None = None
) -> list[str]:
    """Write the event streams of a cohort as a MEDS data set; return what was changed.

    Args:
        cohort: one history per subject; the subjects' other fields become events without a time.
        out: a folder that does not exist yet.
        seed: of the drawn dates.
        splits: subject id -> split; by default all are ``train``.

    Raises:
        FileExistsError: ``out`` exists.
        CohortError: no event streams, or several histories of one subject.
    """
    samples = cohort["events"]
    if len(set(samples.subject_ids)) < len(samples):
        raise CohortError(
            "MEDS keeps one history per subject.",
            given=f"{len(samples)} histories of {len(set(samples.subject_ids))} subjects",
        )
    numbers = _numbers(cohort)
    rows = to_rows(cohort, seed=seed)
    split_of = {s: "train" for s in cohort.subjects.index} | dict(splits or {})
    with atomic_folder(Path(out)) as draft:
        for split in sorted(set(split_of.values())):
            own = [s for s in cohort.subjects.index if split_of[s] == split]
            for shard, start in enumerate(range(0, len(own), _SHARD)):
                mine = [numbers[s] for s in own[start : start + _SHARD]]
                part = rows[rows["subject_id"].isin(mine)]
                path = draft / "data" / split / f"{shard}.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                pq.write_table(_table(part), path)
        _write_metadata(draft, cohort, rows, {numbers[s]: k for s, k in split_of.items()})
    return [
        "Dates are drawn, one index time per subject; only the hours between events are real.",
        "Values are stored as float32.",
    ]


def to_rows(cohort: Cohort, *, seed: int) -> pd.DataFrame:
    """Return the rows of a MEDS data set, sorted by subject and time."""
    samples = cohort["events"]
    numbers = _numbers(cohort)
    ids = list(cohort.subjects.index)
    u = seeding.uniform(seed, ids, 2, stream="meds dates")
    start = _FIRST_DAY + np.floor(u[:, 0] * _DAYS).astype("timedelta64[D]")
    start = start.astype("datetime64[us]") + (u[:, 1] * 86400).astype("timedelta64[s]")
    first = dict(zip(ids, start, strict=True))
    frame = samples.payload.frame
    owner = samples.subject_ids[frame["item"].to_numpy()]
    begin = np.array([first[s] for s in owner], dtype="datetime64[us]")
    after = np.round(frame["hours"].to_numpy() * 3600e6).astype("timedelta64[us]")
    timed = pd.DataFrame(
        {
            "subject_id": [numbers[s] for s in owner],
            "time": begin + after,
            "code": frame["code"].to_numpy(),
            "numeric_value": frame["value"].to_numpy(),
        }
    )
    whole = pd.concat([_untimed(cohort, numbers, first), timed], ignore_index=True)
    whole = whole.sort_values(["subject_id", "time"], kind="stable", na_position="first")
    return whole.reset_index(drop=True)


def _numbers(cohort: Cohort) -> dict[str, int]:
    """Return subject id -> integer; those of subjects who are not real are never a real one's."""
    ids = list(cohort.subjects.index)
    if cohort.provenance is Provenance.REAL:
        if all(re.fullmatch(r"[1-9]\d{0,14}", s) for s in ids):
            return {s: int(s) for s in ids}
        return {s: i for i, s in enumerate(ids, 1)}
    return {s: FIRST_SYNTHETIC_ID + i for i, s in enumerate(ids)}


def _untimed(
    cohort: Cohort, numbers: Mapping[str, int], first: Mapping[str, np.datetime64]
) -> pd.DataFrame:
    """Return the rows of birth and of the subjects' fields."""
    rows: list[tuple[int, Any, str, float]] = []
    for f in cohort.schema:
        for subject, cell in cohort.subjects[f.name].items():
            if cell is None or cell != cell:  # NaN
                continue
            who = numbers[str(subject)]
            if f.name == "age":
                born = first[str(subject)] - np.timedelta64(round(float(cell) * _YEAR * 3600), "s")
                rows.append((who, born, meds.birth_code, np.nan))
                continue
            name = "GENDER" if f.name == "sex" else f.name.upper()
            if f.kind is Kind.NUMERIC:
                rows.append((who, None, name, float(cell)))
            else:
                cells = cell if f.kind is Kind.CODES else [cell]
                rows += [(who, None, f"{name}{_PARTING}{c}", np.nan) for c in cells]
    return pd.DataFrame(rows, columns=["subject_id", "time", "code", "numeric_value"]).astype(
        {"time": "datetime64[us]", "subject_id": np.int64}
    )


def _table(rows: pd.DataFrame) -> pa.Table:
    columns = {
        "subject_id": pa.array(rows["subject_id"], pa.int64()),
        "time": pa.array(rows["time"], pa.timestamp("us")),
        "code": pa.array(rows["code"], pa.string()),
        "numeric_value": pa.array(rows["numeric_value"], pa.float32(), from_pandas=True),
    }
    table = meds.DataSchema.align(pa.table(columns))
    meds.DataSchema.validate(table)
    return table


def _write_metadata(
    draft: Path, cohort: Cohort, rows: pd.DataFrame, split_of: Mapping[int, str]
) -> None:
    from casemix import __version__

    (draft / "metadata").mkdir()
    codes = pa.table({"code": pa.array(sorted(rows["code"].unique()), pa.string())})
    codes = codes.append_column("description", pa.nulls(len(codes), pa.string()))
    codes = codes.append_column("parent_codes", pa.nulls(len(codes), pa.list_(pa.string())))
    meds.CodeMetadataSchema.validate(codes)
    pq.write_table(codes, draft / meds.code_metadata_filepath)
    splits = {"subject_id": pa.array(split_of, pa.int64()), "split": pa.array(split_of.values())}
    table = pa.table(splits)
    meds.SubjectSplitSchema.validate(table)
    pq.write_table(table, draft / meds.subject_splits_filepath)
    about = meds.DatasetMetadataSchema(
        dataset_name=f"{cohort.about.get('name', 'cohort')} ({cohort.provenance})",
        dataset_version="1",
        etl_name=ETL,
        etl_version=__version__,
        meds_version=meds.__version__,
    )
    text = json.dumps(about.to_dict(), indent=1)
    (draft / meds.dataset_metadata_filepath).write_text(text, encoding="utf-8")
