"""What all series of a fitted model share: grid, channels, orders, record-level fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from casemix.core.conditions import ALL_KINDS, Conditions, check_honoured
from casemix.core.fields import Field, Schema
from casemix.core.samples import KEYS, Samples
from casemix.errors import FitError
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.ordering import Order, find_orders, repair


@dataclass(frozen=True)
class SeriesForm:
    """The form of the training records, which made records have too.

    Args:
        times: number of rows of a series.
        step_seconds: see `Series`.
        channels: see `Series`.
        orders: channels that are always above others.
        given: the conditions that may be asked for.
        record_schema: record-level fields of `Samples`.
    """

    times: int
    step_seconds: float
    channels: tuple[Field, ...]
    orders: tuple[Order, ...]
    given: Schema
    record_schema: Schema

    @classmethod
    def of(cls, data: Samples, given: Conditions, *, who: str, least: int) -> Self:
        """Check training records against their conditions and return their form.

        Args:
            data: training records.
            given: their conditions.
            who: name of the generator, for messages.
            least: fewest records that it can learn from.

        Raises:
            FitError: too few records, or conditions of other records.
            ConditionError: a field of codes.
        """
        check_honoured(given.schema, ALL_KINDS, who)
        if list(data.sample_ids) != given.sample_ids:
            raise FitError(
                "The conditions belong to other records than the data, or stand in another order.",
                given=f"{len(given)} rows of conditions for {len(data)} records",
                next_step="Build them with Cohort.conditions, and take the same rows of both.",
            )
        if len(data) < least:
            raise FitError(
                f"{who} cannot learn from so few series.", given=len(data), allowed=f">= {least}"
            )
        series: Series = data.payload
        return cls(
            series.values.shape[1],
            series.step_seconds,
            series.channels,
            find_orders(series),
            given.schema,
            data.schema,
        )

    def samples(self, given: Conditions, values: np.ndarray, *, repaired: bool = True) -> Samples:
        """Return made values (n, t, c) as samples with the ids of ``given``.

        Args:
            given: one row per sample.
            values: (n, t, c).
            repaired: mend broken orders between channels; controls leave them as they are.
        """
        kept = repair(values, self.orders) if repaired else values
        series = Series(kept, self.step_seconds, self.channels)
        empty = self.record_schema.empty(given.rows.index)
        own = {
            n: given.rows[n] if n in given.schema else empty[n] for n in self.record_schema.names
        }
        index = pd.concat([given.rows[list(KEYS)], pd.DataFrame(own, given.rows.index)], axis=1)
        return Samples("timeseries", index, series, self.record_schema)

    def to_json(self) -> dict[str, Any]:
        """Return the form as JSON-ready content."""
        return {
            "times": self.times,
            "step_seconds": self.step_seconds,
            "channels": Schema(self.channels).to_json(),
            "orders": [asdict(order) for order in self.orders],
            "given": self.given.to_json(),
            "record_schema": self.record_schema.to_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Rebuild what `to_json` wrote."""
        return cls(
            int(content["times"]),
            float(content["step_seconds"]),
            Schema.from_json(content["channels"]).fields,
            tuple(Order(**order) for order in content["orders"]),
            Schema.from_json(content["given"]),
            Schema.from_json(content["record_schema"]),
        )


def fitted(form: SeriesForm | None, who: str) -> SeriesForm:
    """Return the form of a fitted generator.

    Raises:
        FitError: it was not fitted.
    """
    if form is None:
        raise FitError(
            f"{who} has not learnt anything yet.", next_step="Call fit, or load a saved model."
        )
    return form
