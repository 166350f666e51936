"""Rows as tokens and back, with the guard of rare values and lists of codes between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from casemix.core.code_columns import CodeColumns
from casemix.core.conditions import Conditions
from casemix.core.fields import Schema
from casemix.core.samples import Samples
from casemix.modalities.tabular.masked.table import TokenTable, cells_of
from casemix.modalities.tabular.rare_values import RareValues
from casemix.modalities.tabular.records import Fitted, records

_LEAST = 5  # subjects who share a level or a code before it is learnt


@dataclass(frozen=True)
class RowTokens:
    """What a network over tokens learns of a table, and how its tokens become records.

    Args:
        fitted: the schemas of table, conditions and samples.
        guard: hides what few subjects have.
        codes: lists of codes as one column each.
        table: the vocabularies of all columns, those that are only ever given first.
    """

    fitted: Fitted
    guard: RareValues
    codes: CodeColumns
    table: TokenTable

    @classmethod
    def learn(
        cls, data: Samples, given: Conditions, fitted: Fitted, *, bins: int, rows_per_bin: int
    ) -> tuple[RowTokens, np.ndarray]:
        """Learn guard, codes and vocabularies; return them with the rows as cells, (n, d).

        Args:
            data: the training records.
            given: their conditions.
            fitted: their schemas.
            bins: most quantile bins of a number.
            rows_per_bin: least training rows of each.
        """
        only_given = _only_given(fitted)
        own = data.payload.frame.set_axis(given.rows.index, axis=0)
        rows = pd.concat([own, given.rows[list(only_given.names)]], axis=1)
        subjects = given.rows["subject_id"]
        guard = RareValues.fit(rows, _every(fitted), subjects, least=_LEAST)
        rows, learnt = guard.hide(rows), guard.schema
        codes = CodeColumns.fit(rows, learnt, subjects, least=_LEAST)
        fields = codes.schema(learnt)
        cells = cells_of(codes.expand(rows, learnt), fields)
        table = TokenTable.fit(
            cells,
            pd.factorize(subjects)[0],
            fields,
            len(codes.schema(only_given)),
            bins=bins,
            rows_per_bin=rows_per_bin,
        )
        return cls(fitted, guard, codes, table), cells

    def known(self, asked: Conditions) -> Conditions:
        """Return conditions, aligned to ``fitted.given``, as the table of tokens has them."""
        return self.codes.conditions(self.guard.hide_conditions(asked))

    def samples(self, rows: pd.DataFrame, asked: Conditions) -> Samples:
        """Return decoded rows as records that have the cells asked for."""
        frame = self.codes.collapse(rows, _every(self.fitted))
        shown = self.guard.show(frame[list(self.fitted.table.names)], asked)
        return records(shown, asked, self.fitted)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON-ready content."""
        return {name: getattr(self, name).to_json() for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RowTokens:
        """Rebuild what `to_json` wrote."""
        return cls(
            Fitted.from_json(content["fitted"]),
            RareValues.from_json(content["guard"]),
            CodeColumns.from_json(content["codes"]),
            TokenTable.from_json(content["table"]),
        )


def _only_given(fitted: Fitted) -> Schema:
    """Return the fields that are only ever given."""
    return Schema(tuple(f for f in fitted.given if f.name not in fitted.table))


def _every(fitted: Fitted) -> Schema:
    """Return the fields that are only ever given, then those of the table."""
    return Schema((*_only_given(fitted), *fitted.table))
