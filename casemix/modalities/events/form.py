"""What all histories of a fitted model share: conditions, record-level fields and units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
import pandas as pd

from casemix.core.conditions import ALL_KINDS, Conditions, check_honoured
from casemix.core.fields import Schema
from casemix.core.samples import Samples
from casemix.errors import FitError
from casemix.modalities.events.data import Events

T = TypeVar("T")


@dataclass(frozen=True)
class EventForm:
    """The form of the training records, which made records have too.

    Args:
        given: the conditions that may be asked for.
        record_schema: record-level fields of `Samples`.
        units: code -> unit of its values.
    """

    given: Schema
    record_schema: Schema
    units: Mapping[str, str]

    @classmethod
    def of(cls, data: Samples, given: Conditions, *, who: str, least: int) -> Self:
        """Check training records against their conditions and return their form.

        Args:
            data: training records.
            given: their conditions.
            who: name of the generator, for messages.
            least: fewest histories with an event that it can learn from.

        Raises:
            FitError: too few histories, or conditions of other records.
        """
        check_honoured(given.schema, ALL_KINDS, who)
        if list(data.sample_ids) != given.sample_ids:
            raise FitError(
                "The conditions belong to other records than the data, or stand in another order.",
                given=f"{len(given)} rows of conditions for {len(data)} records",
                next_step="Build them with Cohort.conditions, and take the same rows of both.",
            )
        told = int((np.diff(data.payload.offsets) > 0).sum())
        if told < least:
            raise FitError(
                f"{who} cannot learn from so few histories.",
                given=f"{told} with an event",
                allowed=f">= {least}",
            )
        return cls(given.schema, data.schema, data.payload.units)

    def samples(self, given: Conditions, frame: pd.DataFrame) -> Samples:
        """Return made events as samples, ids as in ``given``."""
        here = set(frame["code"].unique())
        units = {code: unit for code, unit in self.units.items() if code in here}
        payload = Events(frame, len(given), units)
        return Samples.answering("events", given, payload, self.record_schema)

    def to_json(self) -> dict[str, Any]:
        """Return the form as JSON-ready content."""
        return {
            "given": self.given.to_json(),
            "record_schema": self.record_schema.to_json(),
            "units": dict(self.units),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Rebuild what `to_json` wrote."""
        given, own = (Schema.from_json(content[k]) for k in ("given", "record_schema"))
        return cls(given, own, content["units"])


def fitted(learnt: T | None, who: str) -> T:
    """Return what a generator has learnt.

    Raises:
        FitError: it was not fitted.
    """
    if learnt is None:
        raise FitError(
            f"{who} has not learnt anything yet.", next_step="Call fit, or load a saved model."
        )
    return learnt
