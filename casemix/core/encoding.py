"""Conditions as a vector (for networks) and as a prompt (for language models)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from casemix.core.code_columns import CodeColumns
from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind, Schema

_CLIP = 5.0  # standard deviations: an impossible input cannot blow a network up


@dataclass(frozen=True)
class ConditionEncoder:
    """Turns conditions into numbers, scaled as in the data that it was fitted on.

    Numeric fields become one standardised number, clipped to +-5; ordinal ones a number in
    [-1, 1]; categorical and binary ones a one-hot block; codes one such block per code (see
    `casemix.core.code_columns`). A network reads
    ``concat([values * known, known])``, so that *unspecified* is a state of its own.

    Args:
        schema: the fields.
        location: per numeric field, the mean of its known cells.
        scale: per numeric field, their standard deviation (1 where they do not vary).
        codes: the codes that have a column.
    """

    schema: Schema
    location: Mapping[str, float]
    scale: Mapping[str, float]
    codes: CodeColumns = field(default_factory=CodeColumns)

    @classmethod
    def fit(cls, given: Conditions) -> ConditionEncoder:
        """Learn location and scale of each numeric field, and the codes of each field of codes."""
        location, scale = {}, {}
        for f in given.schema:
            if f.kind is Kind.NUMERIC:
                known = given.rows[f.name].dropna().to_numpy()
                spread = float(np.std(known)) if len(known) else 0.0
                location[f.name] = float(np.mean(known)) if len(known) else 0.0
                scale[f.name] = spread if spread > 1e-12 else 1.0
        return cls(given.schema, location, scale, CodeColumns.fit(given.rows, given.schema))

    @property
    def widths(self) -> dict[str, int]:
        """The number of columns of each field in `encode`'s values, in order."""
        return {
            f.name: sum(_width(part) for part in self.codes.schema(Schema((f,))))
            for f in self.schema
        }

    @property
    def width(self) -> int:
        """The number of columns of `encode`'s values."""
        return sum(self.widths.values())

    def encode(self, given: Conditions) -> tuple[np.ndarray, np.ndarray]:
        """Return (values, known), both float32 of shape (n, width); unknown cells are 0 in both.

        Raises:
            ConditionError: a field, or a code, that is not in the training conditions.
        """
        aligned = self.codes.conditions(given.align(self.schema))
        blocks = [self._block(f, aligned) for f in aligned.schema]
        if not blocks:
            empty = np.zeros((len(given), 0), dtype=np.float32)
            return empty, empty.copy()
        values = np.concatenate([values for values, _ in blocks], axis=1)
        known = np.concatenate([known for _, known in blocks], axis=1)
        return values.astype(np.float32), known.astype(np.float32)

    def _block(self, f: Field, given: Conditions) -> tuple[np.ndarray, np.ndarray]:
        column = given.rows[f.name]
        known = column.notna().to_numpy(dtype=np.float64)[:, None]  # (n, 1)
        if f.kind is Kind.NUMERIC:
            standard = (column.to_numpy() - self.location[f.name]) / self.scale[f.name]
            return np.clip(np.nan_to_num(standard), -_CLIP, _CLIP)[:, None], known
        rank = column.map({level: i for i, level in enumerate(f.levels)})
        position = rank.to_numpy(dtype="float64", na_value=np.nan)
        if f.kind is Kind.ORDINAL:
            top = max(len(f.levels) - 1, 1)
            return np.nan_to_num(2 * position / top - 1)[:, None], known
        one_hot = (position[:, None] == np.arange(len(f.levels))).astype(np.float64)
        return one_hot, np.repeat(known, len(f.levels), axis=1)

    def to_json(self) -> dict[str, Any]:
        """Return the encoder as JSON-ready content."""
        return {
            "schema": self.schema.to_json(),
            "location": dict(self.location),
            "scale": dict(self.scale),
            "codes": self.codes.to_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ConditionEncoder:
        """Rebuild what `to_json` wrote."""
        return cls(
            Schema.from_json(content["schema"]),
            content["location"],
            content["scale"],
            CodeColumns.from_json(content["codes"]),
        )


@dataclass(frozen=True)
class ConditionPrompt:
    """Turns conditions into one line of text each: ``age: 63 a; sex: F``."""

    schema: Schema

    @classmethod
    def of(cls, schema: Schema) -> ConditionPrompt:
        """Return the prompt writer of a schema."""
        return cls(schema)

    def lines(self, given: Conditions) -> list[str]:
        """Return one line per row; unspecified fields are left out."""
        aligned = given.align(self.schema)
        columns = [
            [_phrase(f, value) for value in aligned.rows[f.name].tolist()] for f in self.schema
        ]
        rows = zip(*columns, strict=True) if columns else ([] for _ in range(len(given)))
        return ["; ".join(phrase for phrase in row if phrase) for row in rows]


def _width(f: Field) -> int:
    return len(f.levels) if f.kind in (Kind.CATEGORICAL, Kind.BINARY) else 1


def _phrase(f: Field, value: object) -> str:
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, list):
        return f"{f.name}: {', '.join(value)}"
    if isinstance(value, float):
        return f"{f.name}: {value:.4g} {f.unit}".rstrip()
    return f"{f.name}: {value}"
