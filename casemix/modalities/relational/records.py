"""What every generator of linked tables checks and returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from casemix.core.conditions import Conditions, check_honoured
from casemix.core.fields import Kind, Schema
from casemix.core.samples import Samples
from casemix.errors import FitError
from casemix.modalities.relational.data import LinkedTables
from casemix.modalities.relational.table_form import TableForm

_FEWEST = 8  # subjects


@dataclass(frozen=True)
class Fitted:
    """What a generator was fitted with.

    Args:
        forms: the tables.
        given: the conditions.
        record: the record-level fields of the samples.
    """

    forms: tuple[TableForm, ...]
    given: Schema
    record: Schema

    @classmethod
    def check(cls, data: Samples, given: Conditions, honours: frozenset[Kind], who: str) -> Fitted:
        """Check what a generator is to be fitted on.

        Raises:
            FitError: too few records, or conditions of other rows.
            ConditionError: a condition of a kind that is not honoured.
        """
        if list(data.sample_ids) != given.sample_ids:
            raise FitError(
                "The conditions are not those of the training records, row by row.",
                given=f"{len(given)} rows of conditions for {len(data)} records",
                next_step="Take them from the same cohort: cohort.conditions('relational').",
            )
        if len(data) < _FEWEST:
            raise FitError(
                f"{who} needs more subjects to learn from.",
                given=len(data),
                allowed=f"at least {_FEWEST}",
            )
        check_honoured(given.schema, honours, who)
        return cls(data.payload.forms, given.schema, data.schema)

    def samples(self, frames: Mapping[str, pd.DataFrame], given: Conditions) -> Samples:
        """Return generated rows as the samples that were asked for."""
        payload = LinkedTables(self.forms, frames, len(given))
        return Samples.answering("relational", given, payload, self.record)

    def to_json(self) -> dict[str, Any]:
        """Return the forms and schemas as JSON-ready content."""
        forms = [form.to_json() for form in self.forms]
        return {"forms": forms, "given": self.given.to_json(), "record": self.record.to_json()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Fitted:
        """Rebuild what `to_json` wrote."""
        forms = tuple(TableForm.from_json(entry) for entry in content["forms"])
        return cls(forms, Schema.from_json(content["given"]), Schema.from_json(content["record"]))


def fitted_or_error(fitted: Fitted | None, who: str) -> Fitted:
    """Return what a generator was fitted with.

    Raises:
        FitError: it was not fitted.
    """
    if fitted is None:
        raise FitError(f"{who} is not fitted.", next_step="Call fit first, or load a saved model.")
    return fitted
