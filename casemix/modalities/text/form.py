"""What all notes of a fitted model share: the conditions asked for and the record-level fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from casemix.core.conditions import ALL_KINDS, Conditions, check_honoured
from casemix.core.fields import Schema
from casemix.core.samples import KEYS, Samples
from casemix.errors import FitError
from casemix.modalities.text.data import Notes


@dataclass(frozen=True)
class NoteForm:
    """The form of the training records, which made records have too.

    Args:
        given: the conditions that may be asked for.
        record_schema: record-level fields of `Samples`.
    """

    given: Schema
    record_schema: Schema

    @classmethod
    def of(cls, data: Samples, given: Conditions, *, who: str, least: int) -> Self:
        """Check training records against their conditions and return their form.

        Args:
            data: training records.
            given: their conditions.
            who: name of the generator, for messages.
            least: fewest notes that it can learn from.

        Raises:
            FitError: too few notes, or conditions of other records.
            ConditionError: a field of codes.
        """
        check_honoured(given.schema, ALL_KINDS, who)
        if list(data.sample_ids) != given.sample_ids:
            raise FitError(
                "The conditions belong to other records than the data, or stand in another order.",
                given=f"{len(given)} rows of conditions for {len(data)} records",
                next_step="Build them with Cohort.conditions, and take the same rows of both.",
            )
        told = sum(bool(text.strip()) for text in data.payload.texts)
        if told < least:
            raise FitError(
                f"{who} cannot learn from so few notes.",
                given=f"{told} that are not empty",
                allowed=f">= {least}",
            )
        return cls(given.schema, data.schema)

    def samples(self, given: Conditions, texts: Sequence[str]) -> Samples:
        """Return made notes as samples, ids as in ``given``."""
        index = given.rows[list(KEYS)].copy()
        for name, empty in self.record_schema.empty(given.rows.index).items():
            index[name] = given.rows[name] if name in given.schema else empty
        return Samples("text", pd.DataFrame(index), Notes(tuple(texts)), self.record_schema)

    def to_json(self) -> dict[str, Any]:
        """Return the form as JSON-ready content."""
        return {"given": self.given.to_json(), "record_schema": self.record_schema.to_json()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Rebuild what `to_json` wrote."""
        return cls(Schema.from_json(content["given"]), Schema.from_json(content["record_schema"]))


def fitted(form: NoteForm | None, who: str) -> NoteForm:
    """Return the form of a fitted generator.

    Raises:
        FitError: it was not fitted.
    """
    if form is None:
        raise FitError(
            f"{who} has not learnt anything yet.", next_step="Call fit, or load a saved model."
        )
    return form
