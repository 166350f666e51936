"""Series: several channels on one regular grid of times per sample, with gaps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa

from casemix.core.fields import Field, Kind, Schema
from casemix.errors import PayloadError, SchemaError

_METADATA = b"casemix"
#: Steps of at least a minute are shown in hours, shorter ones in seconds.
_MINUTE = 60.0


@dataclass(frozen=True)
class Series:
    """n samples of c channels at t equally spaced times.

    Args:
        values: float32 (n, t, c); NaN = not recorded.
        step_seconds: time from one row to the next, in seconds (3600 for hourly vitals, 0.01
            for an ECG at 100 Hz).
        channels: name, unit and range of each channel, all numeric.

    Raises:
        PayloadError: another shape, an infinite value, a value outside its channel's range.
    """

    values: np.ndarray
    step_seconds: float
    channels: tuple[Field, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", np.asarray(self.values, dtype=np.float32))
        object.__setattr__(self, "step_seconds", float(self.step_seconds))
        object.__setattr__(self, "channels", tuple(self.channels))
        self._check_form()
        self._check_values()

    def _check_form(self) -> None:
        shape = self.values.shape
        if len(shape) != 3 or shape[1] < 1 or shape[2] != len(self.channels) or shape[2] < 1:
            raise PayloadError(
                "Series need values of shape (samples, times, channels), one field per channel.",
                given=f"values of shape {shape} and {len(self.channels)} channels",
            )
        if not (np.isfinite(self.step_seconds) and self.step_seconds > 0):
            raise PayloadError(
                "The step between two times must be positive.", given=f"{self.step_seconds} s"
            )
        for f in self.channels:
            if f.kind is not Kind.NUMERIC:
                raise PayloadError(
                    f"Channel '{f.name}' must be numeric.", given=f.kind, allowed=Kind.NUMERIC
                )
        try:
            Schema(self.channels)
        except SchemaError as error:
            raise PayloadError("Two channels have one name.", given=error.given) from error

    def _check_values(self) -> None:
        infinite = np.argwhere(np.isinf(self.values))
        if len(infinite):
            raise PayloadError(
                f"Series hold an infinite value, {_place(self, infinite[0])}.",
                next_step="Make the cell missing (NaN).",
            )
        for c, f in enumerate(self.channels):
            if f.range is None:
                continue
            low, high = np.float32(f.range[0]), np.float32(f.range[1])
            column = self.values[:, :, c]
            outside = np.argwhere((column < low) | (column > high))
            if len(outside):
                n, t = outside[0]
                raise PayloadError(
                    f"{len(outside)} values lie outside their channel's range, the first "
                    f"{_place(self, (n, t, c))}.",
                    given=float(column[n, t]),
                    allowed=f"{f.range[0]} to {f.range[1]} {f.unit}".strip(),
                    next_step="Widen the channel's range, or make these cells missing.",
                )

    def __len__(self) -> int:
        return len(self.values)

    @property
    def recorded(self) -> np.ndarray:
        """Which cells were recorded, bool (n, t, c)."""
        return ~np.isnan(self.values)

    @property
    def hours(self) -> np.ndarray:
        """The times of the rows in hours from the first, float64 (t,)."""
        return np.arange(self.values.shape[1]) * self.step_seconds / 3600.0

    def like(self, values: np.ndarray) -> Self:
        """Return other values on the same grid and channels."""
        return type(self)(values, self.step_seconds, self.channels)

    def take(self, positions: np.ndarray) -> Self:
        """Return the samples at these positions, in this order."""
        return self.like(self.values[positions])

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Return the samples of all parts, in order.

        Raises:
            PayloadError: no part, or parts with another grid or other channels.
        """
        if not parts:
            raise PayloadError("There is nothing to concatenate.")
        first = parts[0]
        for part in parts:
            if _form(part) != _form(first):
                raise PayloadError(
                    "Only series with the same times and channels can be joined.",
                    given=_described(part),
                    allowed=_described(first),
                )
        return first.like(np.concatenate([p.values for p in parts]))

    def to_table(self) -> pa.Table:
        """Return one list<float32> column per channel (null = not recorded), one row per sample."""
        n, t, _ = self.values.shape
        offsets = pa.array(np.arange(0, (n + 1) * t, t, dtype=np.int32))
        columns = {}
        for c, f in enumerate(self.channels):
            flat = np.ascontiguousarray(self.values[:, :, c]).reshape(-1)
            cells = pa.array(flat, type=pa.float32(), mask=np.isnan(flat))
            columns[f.name] = pa.ListArray.from_arrays(offsets, cells)
        about = {
            "channels": Schema(self.channels).to_json(),
            "step_seconds": self.step_seconds,
            "times": t,
        }
        metadata = {_METADATA: json.dumps(about, ensure_ascii=False).encode()}
        return pa.table(columns).replace_schema_metadata(metadata)

    @classmethod
    def from_table(cls, table: pa.Table) -> Self:
        """Rebuild what `to_table` wrote.

        Raises:
            PayloadError: no description in the metadata, or a sample of another length.
        """
        about = (table.schema.metadata or {}).get(_METADATA)
        if about is None:
            raise PayloadError(
                "The Arrow table does not say what its channels are.",
                given=table.column_names,
                allowed=f"schema metadata under the key {_METADATA.decode()!r}",
                next_step="Write it with Series.to_table.",
            )
        try:
            facts = json.loads(about)
            channels = tuple(Schema.from_json(facts["channels"]))
            times, step = int(facts["times"]), float(facts["step_seconds"])
        except (ValueError, KeyError, TypeError, SchemaError) as error:
            raise PayloadError(
                "The Arrow table's description of its channels is damaged.", given=str(error)
            ) from error
        values = [_channel_values(table, f.name, times) for f in channels]
        return cls(np.stack(values, axis=2), step, channels)

    def preview(self, position: int) -> dict[str, Any]:
        """Return one sample as a chart: hours for steps of a minute or more, else seconds."""
        in_hours = self.step_seconds >= _MINUTE
        x = self.hours if in_hours else self.hours * 3600.0
        shown = [
            {"name": f.name, "unit": f.unit, "y": _numbers(self.values[position, :, c])}
            for c, f in enumerate(self.channels)
        ]
        return {
            "type": "chart",
            "unit_x": "h" if in_hours else "s",
            "x": [round(float(v), 6) for v in x],
            "channels": shown,
        }


#: What core and the registry call this modality's payload.
PAYLOAD = Series


def _place(series: Series, cell: Sequence[int] | np.ndarray) -> str:
    sample, time, channel = (int(v) for v in cell)
    return f"in sample {sample}, time {time}, channel '{series.channels[channel].name}'"


def _form(series: Series) -> tuple[Any, ...]:
    return series.values.shape[1:], series.step_seconds, series.channels


def _described(series: Series) -> str:
    names = ", ".join(f.name for f in series.channels)
    return f"{series.values.shape[1]} times, {series.step_seconds} s apart, of {names}"


def _channel_values(table: pa.Table, name: str, times: int) -> np.ndarray:
    """Return float32 (n, times) of one list column."""
    if name not in table.column_names:
        raise PayloadError(f"The table lacks the channel '{name}'.", given=table.column_names)
    column = table[name].combine_chunks()
    if not pa.types.is_list(column.type) and not pa.types.is_large_list(column.type):
        raise PayloadError(f"Channel '{name}' must hold lists of numbers.", given=column.type)
    lengths = column.value_lengths().fill_null(-1).to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(lengths != times)
    if len(wrong):
        raise PayloadError(
            f"Sample {wrong[0]} is cut short or damaged in channel '{name}'.",
            given=f"{max(int(lengths[wrong[0]]), 0)} times",
            allowed=f"{times} times",
        )
    try:
        cells = column.flatten().cast(pa.float32())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise PayloadError(f"Channel '{name}' must hold lists of numbers.") from error
    return cells.to_numpy(zero_copy_only=False).reshape(-1, times)


def _numbers(cells: np.ndarray) -> list[float | None]:
    """Return JSON-ready numbers with float32's seven digits; None where not recorded."""
    return [None if np.isnan(v) else float(f"{v:.7g}") for v in cells]
