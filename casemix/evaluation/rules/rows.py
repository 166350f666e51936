"""What a rule sees of a cohort: one modality's records as named, typed columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pandas as pd

from casemix.core.cohort import Cohort
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import KEYS, Samples
from casemix.evaluation.statistics import FloatArray, IntArray

#: The subjects table, seen as a modality of its own.
CONTEXT = "context"
#: Modality -> its findings (index = sample ids) and their fields, as an `Evaluator` gives them.
Findings = Mapping[str, tuple[pd.DataFrame, Schema]]


@runtime_checkable
class Columned(Protocol):
    """A payload of one row of typed columns per sample."""

    frame: pd.DataFrame
    schema: Schema


@runtime_checkable
class Channelled(Protocol):
    """A payload of values (n, t, c) on a regular grid, NaN = not recorded."""

    values: npt.NDArray[np.float32]
    step_seconds: float
    channels: tuple[Field, ...]


@dataclass(frozen=True)
class Selection:
    """Some fields side by side, one row per record, or per time of a record.

    Attributes:
        frame: the fields asked for, (m, f).
        record: (m,) position of each row's record.
    """

    frame: pd.DataFrame
    record: IntArray


@dataclass(frozen=True)
class Rows:
    """The records of one modality, n of them.

    A field is found under its own name if the modality records it (column, channel, record-level
    field) or the subjects table does, and under ``<modality>.<name>`` for findings and for what
    another modality records once per subject.

    Attributes:
        modality: ``tabular``, ``timeseries`` ... or `CONTEXT`.
        index: index = sample ids; ``subject_id`` and ``time`` (hours; NaN in the context).
        schema: all fields that a rule may name, channels included.
        fields: (n, f) the fields with one value per record.
        channels: name -> (n, t) the fields with one value per time.
        step_hours: time from one value of a channel to the next.
        own: the fields that these records have of their own, from no other modality.
    """

    modality: str
    index: pd.DataFrame
    schema: Schema
    fields: pd.DataFrame
    channels: Mapping[str, npt.NDArray] = field(default_factory=dict)
    step_hours: float = 0.0
    own: frozenset[str] = frozenset()

    def has(self, f: Field) -> bool:
        """Return whether these records have a field of their own."""
        return f.name in self.own

    @property
    def subjects(self) -> npt.NDArray:
        """The subject of each record, (n,)."""
        return self.index["subject_id"].to_numpy(dtype=object)

    def select(self, names: Iterable[str]) -> Selection:
        """Return fields row by row: one row per time if any of them is a channel."""
        wanted = list(dict.fromkeys(names))
        timed = [self.channels[name] for name in wanted if name in self.channels]
        record = np.repeat(np.arange(len(self.index)), timed[0].shape[1] if timed else 1)
        columns = {
            name: _as_written(self.channels[name].reshape(-1))
            if name in self.channels
            else self.fields[name].to_numpy()[record]
            for name in wanted
        }
        return Selection(pd.DataFrame(columns, index=pd.RangeIndex(len(record))), record)

    def recorded_hours(self) -> tuple[FloatArray, IntArray]:
        """Return hour (m,) and record (m,) of everything recorded."""
        start = self.index["time"].to_numpy(dtype=np.float64)
        if not self.channels:
            return start, np.arange(len(start))
        seen = np.logical_or.reduce([~np.isnan(values) for values in self.channels.values()])
        record, step = np.nonzero(seen)
        return start[record] + step * self.step_hours, record


def rows_of(cohort: Cohort, findings: Findings | None = None) -> dict[str, Rows]:
    """Return each modality's records, and the subjects under `CONTEXT`.

    Args:
        cohort: the subjects and their samples.
        findings: what evaluators found, per modality. A record that is not in its frame has no
            findings, and no rule about findings counts it.
    """
    own = {m: _own(s, (findings or {}).get(m)) for m, s in cohort.samples.items()}
    once = {
        m: (_by_subject(cohort.samples[m], frame), schema)
        for m, (frame, schema) in own.items()
        if not cohort.samples[m].index["subject_id"].duplicated().any()
    }
    ids = cohort.subjects.index
    index = pd.DataFrame({"subject_id": ids.to_numpy(dtype=object), "time": np.nan}, index=ids)
    context = (cohort.subjects, cohort.schema)
    rows = {CONTEXT: _joined(CONTEXT, index, list(once.values()), [context])}
    for modality, samples in cohort.samples.items():
        others = [context, *(part for m, part in once.items() if m != modality)]
        mine = [(_plain(samples), _plain_schema(samples)), own[modality]]
        index = samples.index[list(KEYS)]
        rows[modality] = _joined(modality, index, others, mine, samples.payload)
    return rows


def _joined(
    modality: str,
    index: pd.DataFrame,
    of_subject: list[tuple[pd.DataFrame, Schema]],
    of_record: list[tuple[pd.DataFrame, Schema]],
    payload: object = None,
) -> Rows:
    """Return the rows; of two fields with one name the record's own counts."""
    matched = [(frame.reindex(index["subject_id"]), schema) for frame, schema in of_subject]
    known: dict[str, Field] = {}
    columns: dict[str, npt.NDArray] = {}
    for frame, schema in [*matched, *of_record]:
        known |= {f.name: f for f in schema}
        columns |= {f.name: frame[f.name].to_numpy() for f in schema}
    channels: dict[str, npt.NDArray] = {}
    step_hours = 0.0
    if isinstance(payload, Channelled):
        known |= {f.name: f for f in payload.channels}
        channels = {f.name: payload.values[:, :, c] for c, f in enumerate(payload.channels)}
        step_hours = payload.step_seconds / 3600.0
    own = frozenset(name for _, schema in of_record for name in schema.names) | set(channels)
    fields = pd.DataFrame(columns, index=index.index)
    schema = Schema(tuple(known.values()))
    return Rows(modality, index, schema, fields, channels, step_hours, own)


def _plain_schema(samples: Samples) -> Schema:
    payload = samples.payload.schema if isinstance(samples.payload, Columned) else Schema()
    inside = set(payload.names)
    return Schema((*(f for f in samples.schema if f.name not in inside), *payload))


def _plain(samples: Samples) -> pd.DataFrame:
    """Return record-level fields and payload columns, index = sample ids."""
    parts = [samples.index[list(samples.schema.names)]]
    if isinstance(samples.payload, Columned):
        parts[0] = parts[0].drop(columns=list(samples.payload.schema.names), errors="ignore")
        parts.append(samples.payload.frame.set_axis(samples.index.index, axis=0))
    return pd.concat(parts, axis=1)


def _own(
    samples: Samples, findings: tuple[pd.DataFrame, Schema] | None
) -> tuple[pd.DataFrame, Schema]:
    """Return what a modality records once per record, under ``<modality>.<name>``."""
    prefix = f"{samples.modality}."
    frame = _plain(samples).add_prefix(prefix)
    fields = [_renamed(f, prefix + f.name) for f in _plain_schema(samples)]
    if findings is not None:
        found, schema = findings
        new = [f for f in schema if f.name not in frame.columns]
        frame = pd.concat([frame, found[[f.name for f in new]].reindex(frame.index)], axis=1)
        fields += new
    return frame, Schema(tuple(fields))


def _by_subject(samples: Samples, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_axis(pd.Index(samples.subject_ids, dtype=object), axis=0)


def _renamed(f: Field, name: str) -> Field:
    return Field(name, f.kind, f.unit, f.levels, f.range, f.code_system, f.description)


def _as_written(values: npt.NDArray) -> FloatArray:
    """Return float32 values as the seven-digit decimals that they were stored from.

    Widened as they are, 0.21 would read 0.2099999934 and fall below a limit of 0.21.
    """
    wide = values.astype(np.float64)
    size = np.abs(wide, where=np.isfinite(wide), out=np.ones_like(wide))
    digits = 6 - np.floor(np.log10(np.where(size > 0, size, 1.0)))
    scale = 10.0**digits
    written: FloatArray = np.round(wide * scale) / scale
    return written


def is_numeric(f: Field) -> bool:
    """Return whether a field holds numbers."""
    return f.kind is Kind.NUMERIC
