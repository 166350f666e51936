"""Samples: the records of one modality, each with its subject, its time and its payload."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import numpy as np
import pandas as pd
import pyarrow as pa

from casemix.core.fields import Schema
from casemix.errors import CohortError, did_you_mean

if TYPE_CHECKING:
    from casemix.core.conditions import Conditions

#: Index columns that every modality has; record-level fields follow them.
KEYS = ("subject_id", "time")


@runtime_checkable
class Payload(Protocol):
    """What a modality's records hold: n items in a fixed order, immutable by convention.

    Each modality defines one payload type in ``modalities/<modality>/data.py`` and names it
    ``PAYLOAD`` there. Its constructor checks shapes, units and ranges (`PayloadError`).
    """

    def __len__(self) -> int:
        """Return the number of items."""

    def take(self, positions: np.ndarray) -> Self:
        """Return the items at these positions, in this order."""

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Return the items of all parts, in order."""

    def to_table(self) -> pa.Table:
        """Return one row per item; what is common to all items goes into schema metadata."""

    @classmethod
    def from_table(cls, table: pa.Table) -> Self:
        """Rebuild what `to_table` wrote.

        Raises:
            PayloadError: damaged content, e.g. a PNG that does not decode.
        """

    def preview(self, position: int) -> dict[str, Any]:
        """Return one item as JSON-ready content for a person.

        ``{"type": "table", "rows": [[name, value, unit], ...]}``,
        ``{"type": "chart", "unit_x": str, "x": [...], "channels": [{"name", "unit", "y"}]}``,
        ``{"type": "text", "text": str}`` or
        ``{"type": "image", "frames": [{"name", "png": base64, "overlay": base64 or None}]}``.
        """


@dataclass(frozen=True)
class Samples:
    """Records of one modality: index rows and a payload in the same order.

    Args:
        modality: ``tabular``, ``timeseries``, ``text``, ``imaging`` or a plugin's.
        index: one row per record. The frame's index holds unique ``sample_id`` strings; the
            columns are ``subject_id`` (str), ``time`` (float, hours since the subject's index
            time) and the record-level fields of ``schema``.
        payload: the records' content, ``len(payload) == len(index)``.
        schema: the record-level fields (vendor, view, note type ...).

    Raises:
        CohortError: repeated or empty ids, a time that is not finite, unequal lengths.
    """

    modality: str
    index: pd.DataFrame
    payload: Any
    schema: Schema = field(default_factory=Schema)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", _checked_index(self.modality, self.index, self.schema))
        if len(self.payload) != len(self.index):
            raise CohortError(
                f"The {self.modality} samples have a payload of another length than their index.",
                given=f"{len(self.payload)} payload items, {len(self.index)} index rows",
            )

    def __len__(self) -> int:
        return len(self.index)

    @property
    def sample_ids(self) -> np.ndarray:
        """The sample ids, object array of shape (n,)."""
        return self.index.index.to_numpy(dtype=object)

    @property
    def subject_ids(self) -> np.ndarray:
        """The subject id of each sample, object array of shape (n,)."""
        return self.index["subject_id"].to_numpy(dtype=object)

    def take(self, positions: Iterable[int] | np.ndarray) -> Samples:
        """Return the samples at these positions, in this order."""
        chosen = np.asarray(list(positions), dtype=int)
        return Samples(
            self.modality, self.index.iloc[chosen], self.payload.take(chosen), self.schema
        )

    def of_subjects(self, subject_ids: Iterable[str]) -> Samples:
        """Return the samples that belong to these subjects, in their present order."""
        wanted = set(subject_ids)
        return self.take(np.flatnonzero([s in wanted for s in self.subject_ids]))

    @classmethod
    def answering(cls, modality: str, given: Conditions, payload: Any, schema: Schema) -> Samples:
        """Return the samples that a generator made for these conditions.

        Ids, subjects and times are those of ``given``; so are the record-level fields of
        ``schema`` that it has, and the others are missing.
        """
        own = [n for n in schema.names if n in given.schema]
        rest = [n for n in schema.names if n not in own]
        blank = schema.pick(rest).empty(given.rows.index)
        index = pd.concat([given.rows[[*KEYS, *own]], blank], axis=1)[[*KEYS, *schema.names]]
        return cls(modality, index, payload, schema)

    @classmethod
    def concat(cls, parts: Sequence[Samples]) -> Samples:
        """Return the samples of all parts, in order.

        Raises:
            CohortError: no part, or parts of different modalities or record-level fields.
        """
        if not parts:
            raise CohortError("There is nothing to concatenate.")
        first = parts[0]
        if any(p.modality != first.modality or p.schema != first.schema for p in parts):
            raise CohortError(
                "Only samples of one modality with the same record-level fields can be joined.",
                given=sorted({p.modality for p in parts}),
            )
        payload = type(first.payload).concat([p.payload for p in parts])
        return cls(first.modality, pd.concat([p.index for p in parts]), payload, first.schema)


def _checked_index(modality: str, index: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    for key in KEYS:
        if key not in index.columns:
            raise CohortError(
                f"The {modality} index lacks the column '{key}'.",
                given=list(index.columns),
                allowed=[*KEYS, *schema.names],
            )
    extra = [c for c in index.columns if c not in KEYS and c not in schema]
    if extra:
        raise CohortError(
            f"The {modality} index has a column that its schema does not name.",
            given=extra,
            allowed=[*KEYS, *schema.names],
            next_step=did_you_mean(str(extra[0]), schema.names),
        )
    ids = checked_ids(index.index, f"{modality} sample_id")
    checked = schema.coerce(index)
    checked.insert(0, "subject_id", index["subject_id"].astype(str).to_numpy(dtype=object))
    checked.insert(1, "time", pd.to_numeric(index["time"]).to_numpy(dtype="float64"))
    if not np.isfinite(checked["time"]).all():
        raise CohortError(
            f"Every {modality} record needs a finite time (hours since the index time).",
            given=f"{int((~np.isfinite(checked['time'])).sum())} records without one",
            next_step="Give 0 where the time is not known.",
        )
    checked.index = ids
    return checked


def checked_ids(ids: pd.Index, what: str) -> pd.Index:
    """Return ids as an index of strings.

    Raises:
        CohortError: an id is missing, empty or repeated.
    """
    if ids.hasnans or any(str(i) == "" for i in ids):
        raise CohortError(f"A {what} is missing or empty.")
    text = pd.Index([str(i) for i in ids], dtype=object, name=what.rsplit(" ", 1)[-1])
    if not text.is_unique:
        raise CohortError(
            f"The {what} values are not unique.",
            given=list(text[text.duplicated()].unique()[:5]),
            next_step="Give each record an id of its own.",
        )
    return text
