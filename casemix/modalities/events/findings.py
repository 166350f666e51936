"""Findings of event streams: how much, how long, which frequent codes, how high their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from casemix.core.fields import Field, Kind, Schema
from casemix.modalities.events.data import Events

_MOST_CODES, _MOST_VALUES = 24, 8
_SHARE = 0.05  # of histories that must (and must not) have a code
_FIXED = (
    Field("events.count", Kind.NUMERIC, description="Number of events"),
    Field("events.times", Kind.NUMERIC, description="Number of different times"),
    Field("events.codes", Kind.NUMERIC, description="Number of different codes"),
    Field("events.span", Kind.NUMERIC, "h", description="Hours from the first to the last event"),
    Field("events.median_gap", Kind.NUMERIC, "h", description="Median hours between two times"),
)


@dataclass(frozen=True)
class EventFindings:
    """Which codes and values are told of each history.

    Args:
        codes: codes that a fair share of the training histories have.
        valued: codes whose mean value is told -> unit.
    """

    codes: tuple[str, ...]
    valued: Mapping[str, str]

    @classmethod
    def fit(cls, events: Events) -> Self:
        """Learn the frequent codes, and those of them that carry values."""
        frame = events.frame
        share = _shares(frame, events.n)
        valued = _shares(frame[frame["value"].notna()], events.n)
        codes = share[(share >= _SHARE) & (share <= 1 - _SHARE)].index[:_MOST_CODES]
        told = valued[valued >= _SHARE].index[:_MOST_VALUES]
        return cls(tuple(codes), {code: events.units.get(code, "") for code in told})

    @property
    def schema(self) -> Schema:
        """The fields of `of`."""
        has = (Field(f"events.has.{code}", Kind.BINARY) for code in self.codes)
        mean = (
            Field(f"events.mean.{code}", Kind.NUMERIC, unit) for code, unit in self.valued.items()
        )
        return Schema((*_FIXED, *has, *mean))

    def of(self, events: Events) -> pd.DataFrame:
        """Return the findings of each history, (n, f)."""
        frame, n = events.frame, events.n
        found = _amounts(frame, n)
        pairs = frame[["item", "code"]].drop_duplicates()
        for code in self.codes:
            has = np.isin(np.arange(n), pairs.loc[pairs["code"] == code, "item"])
            found[f"events.has.{code}"] = np.where(has, "yes", "no").astype(object)
        for code in self.valued:
            mean = frame[frame["code"] == code].groupby("item")["value"].mean()
            found[f"events.mean.{code}"] = mean.reindex(range(n)).to_numpy(dtype=float)
        schema = self.schema
        return schema.coerce(pd.DataFrame(found)[list(schema.names)])

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready content."""
        return {"codes": list(self.codes), "valued": [list(p) for p in self.valued.items()]}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Rebuild what `to_json` wrote."""
        return cls(tuple(content["codes"]), dict(content["valued"]))


def _shares(frame: pd.DataFrame, n: int) -> pd.Series:
    """Return the share of histories with each code, largest first."""
    counts = frame[["item", "code"]].drop_duplicates()["code"].value_counts()
    ranked = counts.sort_index().sort_values(ascending=False, kind="stable")
    return ranked / max(n, 1)


def _amounts(frame: pd.DataFrame, n: int) -> dict[str, np.ndarray]:
    by_item = frame.groupby("item")
    times = frame[["item", "hours"]].drop_duplicates()
    gaps = times.groupby("item")["hours"].diff()
    columns = {
        "events.count": by_item.size(),
        "events.times": times.groupby("item").size(),
        "events.codes": by_item["code"].nunique(),
        "events.span": by_item["hours"].max() - by_item["hours"].min(),
    }
    whole = {k: v.reindex(range(n), fill_value=0).to_numpy(float) for k, v in columns.items()}
    median = gaps.groupby(times["item"]).median().reindex(range(n))
    return whole | {"events.median_gap": median.to_numpy(dtype=float)}
