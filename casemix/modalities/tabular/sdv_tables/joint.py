"""The joint table of conditions and columns, without what would point to single subjects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, TypeVar

import pandas as pd

from casemix.core.artifact import Draft, Saved
from casemix.core.code_columns import CodeColumns
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Schema
from casemix.core.samples import Samples
from casemix.errors import FitError
from casemix.modalities.tabular.rare_values import RareValues
from casemix.modalities.tabular.records import Fitted, check_fit, records, with_given

Model = TypeVar("Model")


@dataclass(frozen=True)
class JointTable:
    """What a table was fitted with; records become its rows, and rows become records again.

    Args:
        fitted: the table, the conditions and the record-level fields.
        codes: the codes that have a column.
        rare: the values that a method neither learns nor shows.
    """

    fitted: Fitted
    codes: CodeColumns
    rare: RareValues

    @classmethod
    def fit(cls, data: Samples, given: Conditions, *, who: str) -> tuple[Self, pd.DataFrame]:
        """Return it with its training rows, in the columns of `schema`.

        Raises:
            FitError: data that cannot be learnt (see `check_fit`).
            ConditionError: a condition that contradicts a column.
        """
        fitted = check_fit(data, given, ALL_KINDS, who, codes=True)
        every = _every(fitted)
        own = data.payload.frame.set_axis(given.rows.index, axis=0)
        rows = pd.concat([own, given.rows[[n for n in every.names if n not in own]]], axis=1)
        codes = CodeColumns.fit(rows, every)
        rows = codes.expand(rows, every)
        rare = RareValues.fit(rows, codes.schema(every), given.rows["subject_id"])
        return cls(fitted, codes, rare), rare.hide(rows)

    @property
    def schema(self) -> Schema:
        """The fields of its rows."""
        return self.rare.schema

    @property
    def shown(self) -> frozenset[str]:
        """The names of those that the generated table is made of."""
        return frozenset(self.codes.schema(self.fitted.table).names)

    def known(self, asked: Conditions) -> pd.DataFrame:
        """Return what is asked for, in the columns of `schema`, missing where nothing is."""
        return self.rare.hide_conditions(self.codes.conditions(asked)).values

    def records(self, rows: pd.DataFrame, asked: Conditions) -> Samples:
        """Return rows as the records that were asked for; given cells stand as given."""
        shown = self.rare.hide(rows.set_axis(asked.rows.index, axis=0))
        frame = self.codes.collapse(shown, self.fitted.table)
        return records(with_given(frame, asked), asked, self.fitted)

    def save(self, draft: Draft) -> None:
        """Write ``table.json``."""
        content = {name: getattr(self, name).to_json() for name in self.__dataclass_fields__}
        draft.json("table", content)

    @classmethod
    def load(cls, saved: Saved) -> Self:
        """Read what `save` wrote."""
        content = saved.json("table")
        return cls(
            Fitted.from_json(content["fitted"]),
            CodeColumns.from_json(content["codes"]),
            RareValues.from_json(content["rare"]),
        )


def _every(fitted: Fitted) -> Schema:
    """Return the fields of the table, then those that are only ever given."""
    return Schema((*fitted.table, *(f for f in fitted.given if f.name not in fitted.table)))


def model_or_error(model: Model | None, who: str) -> Model:
    """Return what was fitted.

    Raises:
        FitError: nothing was.
    """
    if model is None:
        raise FitError(f"{who} is not fitted.", next_step="Call fit first, or load a saved model.")
    return model
