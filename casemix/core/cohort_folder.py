"""A cohort on disk: a Hugging Face dataset folder with checksums.

::

    cohort/
      README.md                      dataset card; its YAML names one config per modality
      cohort.json                    schemas with units, provenance, versions, SHA-256 sums
      subjects/data-00000.parquet    one row per subject
      imaging/data-00000.parquet     one row per sample: ids, time, record-level fields, payload

``datasets.load_dataset(folder, "imaging")`` reads it as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from casemix.core import registry
from casemix.core.cohort_card import Counts, card
from casemix.core.fields import Schema
from casemix.core.files import atomic_folder, atomic_json, checksums, read_json, verify
from casemix.core.samples import KEYS, Samples
from casemix.errors import ArtifactError, CasemixError, CohortError

if TYPE_CHECKING:
    from casemix.core.cohort import Cohort

FORMAT = 1
_ABOUT = "cohort.json"
_ROWS_PER_SHARD = 20_000
_GROUP = "split_group"


def is_cohort(folder: Path) -> bool:
    """Return whether a folder is a cohort folder, damaged or not."""
    return (folder / _ABOUT).is_file()


def save(cohort: Cohort, folder: Path, *, replace: bool) -> None:
    """Write the folder; it appears whole or not at all.

    Raises:
        ArtifactError: ``replace`` is asked for and the folder is not a cohort folder.
        FileExistsError: the folder exists and ``replace`` is False.
    """
    save_parts([cohort], folder, replace=replace)


def save_parts(parts: Iterable[Cohort], folder: Path, *, replace: bool = False) -> Counts:
    """Write one folder of cohorts of disjoint subjects, holding one of them at a time.

    Args:
        parts: at least one; provenance, context and facts are those of the first one.
        folder: see `save`.
        replace: see `save`.

    Returns:
        What the folder holds.

    Raises:
        CohortError: a part with another context or other record-level fields than one before.
        ArtifactError, FileExistsError: see `save`.
    """
    if replace and folder.exists() and not (folder / _ABOUT).is_file():
        raise ArtifactError(f"{folder} is not a cohort folder; it was not replaced.")
    with atomic_folder(folder, replace=replace) as draft:
        written = _Writer(draft)
        for part in parts:
            written.add(part)
        card_text = card(written.first, written.counts)
        (draft / "README.md").write_text(card_text, encoding="utf-8")
        atomic_json(draft / _ABOUT, _about(written, draft))
        return written.counts


class _Writer:
    """A draft folder that grows part by part."""

    def __init__(self, draft: Path) -> None:
        self.draft = draft
        self.counts = Counts(0, {})
        self.schemas: dict[str, Schema] = {}

    def add(self, part: Cohort) -> None:
        if not self.counts.subjects:
            self.first = part
        self._check(part)
        _write_shards(self.draft / "subjects", _subjects_table(part))
        samples = dict(self.counts.samples)
        for modality, records in part.samples.items():
            _write_shards(self.draft / modality, _samples_table(records))
            samples[modality] = samples.get(modality, 0) + len(records)
        self.counts = Counts(self.counts.subjects + len(part), samples)

    def _check(self, part: Cohort) -> None:
        mine = {m: s.schema for m, s in part.samples.items()}
        if part.schema != self.first.schema or self.schemas | mine != mine | self.schemas:
            raise CohortError("The parts of a cohort must have the same fields.")
        self.schemas |= mine


def load(folder: Path) -> Cohort:
    """Read the folder after checking every checksum.

    Raises:
        ArtifactError: not a cohort folder, damaged, altered, or of an unknown format.
    """
    from casemix.core.cohort import Cohort

    if not (folder / _ABOUT).is_file():
        raise ArtifactError(
            f"{folder} is not a cohort folder: it has no {_ABOUT}.",
            next_step="Make one with: casemix import MAPPING.yaml --root DIR --out COHORT",
        )
    about = read_json(folder / _ABOUT)
    if about.get("format") != FORMAT:
        raise ArtifactError(
            f"{folder} has an unknown format.", given=about.get("format"), allowed=FORMAT
        )
    verify(folder, about["sha256"], but=(_ABOUT,))
    schema = Schema.from_json(about["schema"])
    subjects = _read_shards(folder / "subjects").to_pandas().set_index("subject_id")
    samples = {
        modality: _samples(modality, _read_shards(folder / modality), Schema.from_json(fields))
        for modality, fields in about["modalities"].items()
    }
    groups = subjects.get(_GROUP)
    return Cohort(subjects, schema, samples, about["provenance"], groups, about["about"])


def _subjects_table(cohort: Cohort) -> pa.Table:
    frame = cohort.subjects.copy()
    if cohort.groups is not None:
        frame[_GROUP] = cohort.groups.reindex(frame.index).astype(str)
    return _arrow(frame.reset_index(), "subject_id")


def _samples_table(samples: Samples) -> pa.Table:
    index = _arrow(samples.index.reset_index(), "sample_id")
    payload = samples.payload.to_table()
    clash = set(index.column_names) & set(payload.column_names)
    if clash:
        raise CasemixError("A payload column has the name of an index column.", given=sorted(clash))
    for name in payload.column_names:
        index = index.append_column(payload.schema.field(name), payload.column(name))
    return index.replace_schema_metadata(payload.schema.metadata)


def _arrow(frame: pd.DataFrame, key: str) -> pa.Table:
    columns: dict[str, Any] = {}
    for name in frame.columns:
        numeric = frame[name].dtype == np.float64
        codes = frame[name].map(lambda v: isinstance(v, list)).any()
        kind = pa.float64() if numeric else (pa.list_(pa.string()) if codes else pa.string())
        columns[str(name)] = pa.array(frame[name], type=kind, from_pandas=True)
    assert key in columns
    return pa.table(columns)


def _write_shards(folder: Path, table: pa.Table) -> None:
    """Write the rows after those that the folder has."""
    folder.mkdir(exist_ok=True)
    present = len(list(folder.iterdir()))
    for shard, start in enumerate(range(0, table.num_rows, _ROWS_PER_SHARD), start=present):
        part = table.slice(start, _ROWS_PER_SHARD)
        pq.write_table(part, folder / f"data-{shard:05d}.parquet", compression="zstd")


def _read_shards(folder: Path) -> pa.Table:
    try:
        return pa.concat_tables([pq.read_table(p) for p in sorted(folder.glob("data-*.parquet"))])
    except (OSError, pa.ArrowInvalid) as error:
        raise ArtifactError(f"{folder} cannot be read.", given=str(error)) from error


def _samples(modality: str, table: pa.Table, schema: Schema) -> Samples:
    own = ["sample_id", *KEYS, *schema.names]
    index = table.select(own).to_pandas().set_index("sample_id")
    payload = registry.payload_type(modality).from_table(table.drop_columns(own))
    return Samples(modality, index, payload, schema)


def _about(written: _Writer, draft: Path) -> dict[str, Any]:
    from casemix import __version__

    return {
        "format": FORMAT,
        "casemix": __version__,
        "provenance": str(written.first.provenance),
        "subjects": written.counts.subjects,
        "schema": written.first.schema.to_json(),
        "modalities": {m: schema.to_json() for m, schema in written.schemas.items()},
        "about": dict(written.first.about),
        "sha256": checksums(draft, but=(_ABOUT,)),
    }
