"""Filling: columns that a model is given, made complete, so that no cell must be guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from casemix.core.fields import Field, Kind, Schema

_NONE = "(none)"


@dataclass(frozen=True)
class Filling:
    """Which columns are given, and how their missing cells are told.

    To a tabular generator a missing condition is unspecified. Here it says something (there is no
    earlier row, no end is recorded), so a missing number becomes the training median beside a
    binary column ``<name> known``, and a missing level the level ``(none)``. Columns that do not
    vary in training are left out.

    Args:
        fields: the columns that vary, as they come in.
        medians: stands for a missing cell of a numeric column.
        incomplete: the numeric columns with missing training cells.
    """

    fields: Schema
    medians: Mapping[str, float]
    incomplete: tuple[str, ...]

    @classmethod
    def fit(cls, frame: pd.DataFrame, schema: Schema) -> Filling:
        """Learn from training rows, typed by ``schema``, without columns of codes."""
        varying = [f for f in schema if frame[f.name].nunique(dropna=False) > 1]
        numeric = [f.name for f in varying if f.kind is Kind.NUMERIC]
        medians = {n: float(np.nan_to_num(frame[n].median())) for n in numeric}
        incomplete = tuple(n for n in numeric if frame[n].isna().any())
        return cls(Schema(tuple(varying)), medians, incomplete)

    @property
    def schema(self) -> Schema:
        """The complete columns."""
        shown = tuple(_complete(f) for f in self.fields)
        return Schema(shown + tuple(Field(_known(n), Kind.BINARY) for n in self.incomplete))

    def apply(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return rows with the columns of `schema` and no missing cell."""
        columns: dict[str, Any] = {}
        for f in self.fields:
            cells = frame[f.name].to_numpy()
            columns[f.name] = np.where(pd.isna(cells), self.medians.get(f.name, _NONE), cells)
        for name in self.incomplete:
            known = frame[name].notna().to_numpy()
            columns[_known(name)] = np.where(known, "yes", "no").astype(object)
        return pd.DataFrame(columns, index=frame.index)

    def to_json(self) -> dict[str, Any]:
        """Return the filling as JSON-ready content."""
        about = {"medians": dict(self.medians), "incomplete": list(self.incomplete)}
        return {"fields": self.fields.to_json(), **about}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Filling:
        """Rebuild what `to_json` wrote."""
        fields = Schema.from_json(content["fields"])
        return cls(fields, content["medians"], tuple(content["incomplete"]))


def _complete(field: Field) -> Field:
    if field.kind is Kind.NUMERIC:
        return Field(field.name, Kind.NUMERIC, field.unit)
    return Field(field.name, Kind.CATEGORICAL, levels=(*field.levels, _NONE))


def _known(name: str) -> str:
    return f"{name} known"
