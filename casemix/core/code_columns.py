"""Lists of codes as one binary field per code, for everything that learns from columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind, Schema
from casemix.errors import ConditionError

_MOST = 64  # codes of a field that get a column of their own
_LEAST = 3  # subjects with a code, before it gets one: it points to nobody
_RARE = "(rare)"


@dataclass(frozen=True)
class CodeColumns:
    """Which codes each field of codes has a column for.

    A list of codes becomes ``yes`` or ``no`` in the binary fields ``diagnoses=I21``, ... of the
    most frequent codes that enough subjects have, and in ``diagnoses=(rare)`` for the others
    together. An unspecified list is unspecified in all of them; an empty one is ``no`` in all.

    Args:
        common: field -> the codes that have a column, most frequent first.
        rare: field -> the other codes of the training records, which share a column.
    """

    common: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rare: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        frame: pd.DataFrame,
        schema: Schema,
        subjects: pd.Series | np.ndarray | None = None,
        *,
        least: int = _LEAST,
    ) -> CodeColumns:
        """Learn the codes of each field of codes from training rows.

        Args:
            frame: the rows, (n, fields).
            schema: the fields.
            subjects: whose each row is, (n,); each row its own subject's if None.
            least: how many subjects must have a code before it gets a column.
        """
        common, rare = {}, {}
        owners = np.arange(len(frame)) if subjects is None else np.asarray(subjects)
        for f in schema:
            if f.kind is Kind.CODES:
                lists = frame[f.name].dropna()
                whose = owners[frame[f.name].notna().to_numpy()]
                pairs = {(o, code) for o, codes in zip(whose, lists, strict=True) for code in codes}
                counts = Counter(code for _, code in pairs)
                ranked = sorted(counts, key=lambda code: (-counts[code], code))
                own = [code for code in ranked[:_MOST] if counts[code] >= least]
                common[f.name], rare[f.name] = tuple(own), tuple(ranked[len(own) :])
        return cls(common, rare)

    def schema(self, schema: Schema) -> Schema:
        """Return the schema with each field of codes replaced by its binary fields."""
        return Schema(tuple(part for f in schema for part in self._parts(f)))

    def expand(self, frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        """Return the rows with the columns of `schema(schema)`.

        Raises:
            ConditionError: a code that no training record has.
        """
        columns: dict[str, pd.Series] = {}
        for f in schema:
            if f.kind is Kind.CODES:
                columns |= self._columns(f, frame[f.name])
            else:
                columns[f.name] = frame[f.name]
        return pd.DataFrame(columns, index=frame.index)

    def collapse(self, frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        """Return the lists of codes of expanded rows; rare codes cannot be told and stay out."""
        columns: dict[str, pd.Series] = {}
        for f in schema:
            columns[f.name] = self._lists(f, frame) if f.kind is Kind.CODES else frame[f.name]
        return pd.DataFrame(columns, index=frame.index)

    def conditions(self, given: Conditions) -> Conditions:
        """Return the conditions with each field of codes replaced by its binary fields.

        Raises:
            ConditionError: a code that no training record has.
        """
        if not any(f.kind is Kind.CODES for f in given.schema):
            return given
        keys = given.rows.drop(columns=list(given.schema.names))
        rows = pd.concat([keys, self.expand(given.rows, given.schema)], axis=1)
        return Conditions(rows, self.schema(given.schema), given.maps)

    def _parts(self, f: Field) -> tuple[Field, ...]:
        if f.kind is not Kind.CODES:
            return (f,)
        shown = [*self.common[f.name], *([_RARE] if self.rare[f.name] else [])]
        return tuple(
            replace(f, name=_name(f.name, code), kind=Kind.BINARY, code_system="") for code in shown
        )

    def _columns(self, f: Field, lists: pd.Series) -> dict[str, pd.Series]:
        common, rare = self.common[f.name], set(self.rare[f.name])
        asked = {code for codes in lists.dropna() for code in codes}
        unknown = sorted(asked - set(common) - rare)
        if unknown:
            raise ConditionError(
                f"No training record has this code in '{f.name}'.",
                given=unknown[:5],
                allowed=f"{len(common) + len(rare)} codes, such as {', '.join(common[:5])}",
                next_step="Leave it out, or fit on records that have it.",
            )

        def marks(wanted: set[str]) -> pd.Series:
            cells = [
                None if codes is None else "no" if wanted.isdisjoint(codes) else "yes"
                for codes in lists
            ]
            return pd.Series(cells, index=lists.index, dtype=object)

        found = {_name(f.name, code): marks({code}) for code in common}
        return found | ({_name(f.name, _RARE): marks(rare)} if rare else {})

    def _lists(self, f: Field, frame: pd.DataFrame) -> pd.Series:
        codes = self.common[f.name]
        marks = frame[[_name(f.name, code) for code in codes]].to_numpy(dtype=object)
        cells = [
            None
            if len(codes) and all(mark is None for mark in row)
            else [code for code, mark in zip(codes, row, strict=True) if mark == "yes"]
            for row in marks
        ]
        return pd.Series(cells, index=frame.index, dtype=object)

    def to_json(self) -> dict[str, Any]:
        """Return the codes as JSON-ready content."""
        return {
            "common": {name: list(codes) for name, codes in self.common.items()},
            "rare": {name: list(codes) for name, codes in self.rare.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> CodeColumns:
        """Rebuild what `to_json` wrote."""
        return cls(
            {name: tuple(codes) for name, codes in content["common"].items()},
            {name: tuple(codes) for name, codes in content["rare"].items()},
        )


def _name(field_name: str, code: str) -> str:
    return f"{field_name}={code}"
