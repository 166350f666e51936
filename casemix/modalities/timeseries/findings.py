"""Findings of series: a few robust summaries per channel."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples
from casemix.modalities.timeseries.data import Series

#: With more channels than this only `_FEW` summaries are made of each.
_MANY_CHANNELS = 8
_FULL = ("mean", "min", "max", "std", "slope", "recorded_share")
_FEW = ("mean", "std", "recorded_share")


def findings_schema(channels: tuple[Field, ...]) -> Schema:
    """Return the findings' fields, ``timeseries.<channel>.<summary>``."""
    return Schema(tuple(_field(f, name) for f in channels for name in _names(channels)))


def findings(samples: Samples) -> pd.DataFrame:
    """Return the summaries, index = sample ids.

    A channel without a record has a recorded share of 0 and no other finding; one with a single
    record has no standard deviation and no slope.
    """
    series: Series = samples.payload
    columns = {}
    for name in _names(series.channels):
        summary = _SUMMARIES[name](series)  # (n, c)
        for c, f in enumerate(series.channels):
            columns[_field(f, name).name] = summary[:, c]
    frame = pd.DataFrame(columns, index=samples.index.index)
    return frame[list(findings_schema(series.channels).names)]


def slope(series: Series) -> np.ndarray:
    """Return the least-squares slope per hour of each channel, (n, c); NaN below two records."""
    recorded = series.recorded
    values = np.where(recorded, series.values, 0.0).astype(np.float64)
    count = recorded.sum(axis=1)
    hours = series.hours[None, :, None] * recorded
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = (series.hours[None, :, None] - (hours.sum(axis=1) / count)[:, None]) * recorded
        result = (centred * values).sum(axis=1) / (centred**2).sum(axis=1)
    return np.where(count >= 2, result, np.nan)


def spread(series: Series) -> np.ndarray:
    """Return the standard deviation over time of each channel, (n, c); NaN below two records."""
    count = series.recorded.sum(axis=1)
    return np.where(count >= 2, _over_time(np.nanstd, series), np.nan)


def mean(series: Series) -> np.ndarray:
    """Return the mean over time of each channel, (n, c); NaN without a record."""
    return _over_time(np.nanmean, series)


def recorded_share(series: Series) -> np.ndarray:
    """Return the share of times at which each channel was recorded, (n, c)."""
    return series.recorded.mean(axis=1)


def _over_time(reduce: Callable[..., np.ndarray], series: Series) -> np.ndarray:
    with warnings.catch_warnings():  # NumPy warns of channels without a record; NaN is meant
        warnings.simplefilter("ignore", RuntimeWarning)
        return reduce(series.values.astype(np.float64), axis=1)


def _lowest(series: Series) -> np.ndarray:
    return _over_time(np.nanmin, series)


def _highest(series: Series) -> np.ndarray:
    return _over_time(np.nanmax, series)


_SUMMARIES: dict[str, Callable[[Series], np.ndarray]] = {
    "mean": mean,
    "min": _lowest,
    "max": _highest,
    "std": spread,
    "slope": slope,
    "recorded_share": recorded_share,
}


def _names(channels: tuple[Field, ...]) -> tuple[str, ...]:
    return _FEW if len(channels) > _MANY_CHANNELS else _FULL


def _field(channel: Field, summary: str) -> Field:
    name = f"timeseries.{channel.name}.{summary}"
    if summary == "recorded_share":
        return Field(name, Kind.NUMERIC, "1", range=(0.0, 1.0))
    unit = f"{channel.unit}/h" if summary == "slope" else channel.unit
    return Field(name, Kind.NUMERIC, unit, description=f"{summary} of {channel.name}")
