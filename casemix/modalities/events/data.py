"""Events: the payload of the event-stream modality, one subject's history per sample."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from casemix.errors import PayloadError

_METADATA = b"casemix"
_COLUMNS = ("item", "hours", "code", "value")
_MOST_SHOWN = 300  # events of a preview


@dataclass(frozen=True)
class Events:
    """The histories of n subjects: what was recorded of each, when, and with which value.

    Args:
        frame: one row per event: ``item`` (int64, position of the sample in [0, n), sorted),
            ``hours`` (float64 since the subject's index time, non-decreasing within an item),
            ``code`` (str, e.g. ``LAB//50912//mg/dL``) and ``value`` (float64, NaN = none).
        n: number of samples; one may have no event.
        units: code -> UCUM unit of its values; a code without an entry has no unit.

    Raises:
        PayloadError: a missing column, an item outside [0, n), rows out of order, a time that is
            not finite, an empty code or an infinite value.
    """

    frame: pd.DataFrame
    n: int
    units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", int(self.n))
        object.__setattr__(self, "frame", _typed(self.frame))
        object.__setattr__(self, "units", dict(sorted(self.units.items())))
        _check_order(self.frame, self.n)
        _check_cells(self.frame)

    def __len__(self) -> int:
        return self.n

    @property
    def offsets(self) -> np.ndarray:
        """The first row of each item and the end, int64 (n + 1,)."""
        return np.searchsorted(self.frame["item"].to_numpy(), np.arange(self.n + 1))

    def take(self, positions: np.ndarray) -> Self:
        """Return the histories at these positions, in this order."""
        chosen = np.asarray(positions, dtype=np.int64)
        offsets = self.offsets
        sizes = np.diff(offsets)[chosen]
        ends = np.cumsum(sizes)
        rows = np.arange(ends[-1] if len(ends) else 0) + np.repeat(
            offsets[chosen] - (ends - sizes), sizes
        )
        frame = self.frame.iloc[rows].assign(item=np.repeat(np.arange(len(chosen)), sizes))
        return type(self)(frame, len(chosen), self.units)

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Return the histories of all parts, in order.

        Raises:
            PayloadError: a code has two units.
        """
        units: dict[str, str] = {}
        for part in parts:
            for code, unit in part.units.items():
                if units.setdefault(code, unit) != unit:
                    raise PayloadError(
                        f"The code '{code}' has two units.", given=[units[code], unit]
                    )
        starts = np.cumsum([0, *(part.n for part in parts)])
        frames = [
            p.frame.assign(item=p.frame["item"] + s) for p, s in zip(parts, starts, strict=False)
        ]
        whole = pd.concat(frames, ignore_index=True) if frames else no_events()
        return cls(whole, int(starts[-1]), units)

    def to_table(self) -> pa.Table:
        """Return one row per sample: the list columns ``hours``, ``code`` and ``value``."""
        offsets = pa.array(self.offsets, type=pa.int32())
        values = self.frame["value"].to_numpy()
        flat = {
            "hours": pa.array(self.frame["hours"].to_numpy(), type=pa.float64()),
            "code": pa.array(self.frame["code"], type=pa.string()),
            "value": pa.array(values, type=pa.float64(), mask=np.isnan(values)),
        }
        lists = {name: pa.ListArray.from_arrays(offsets, cells) for name, cells in flat.items()}
        about = json.dumps({"units": dict(self.units)}, ensure_ascii=False)
        return pa.table(lists).replace_schema_metadata({_METADATA: about.encode()})

    @classmethod
    def from_table(cls, table: pa.Table) -> Self:
        """Rebuild what `to_table` wrote.

        Raises:
            PayloadError: a missing column, lists of unequal lengths, damaged metadata.
        """
        about = (table.schema.metadata or {}).get(_METADATA, b"{}")
        try:
            units = json.loads(about).get("units", {})
        except ValueError as error:
            raise PayloadError("The description of the events' units is damaged.") from error
        columns = {name: _lists(table, name) for name in _COLUMNS[1:]}
        sizes = columns["code"][0]
        for name, (lengths, _) in columns.items():
            if not np.array_equal(lengths, sizes):
                row = int(np.flatnonzero(lengths != sizes)[0])
                raise PayloadError(
                    f"Sample {row} has another number of entries in '{name}' than in 'code'.",
                    given=f"{lengths[row]} and {sizes[row]}",
                )
        frame = pd.DataFrame({name: cells for name, (_, cells) in columns.items()})
        return cls(frame.assign(item=np.repeat(np.arange(len(sizes)), sizes)), len(sizes), units)

    def preview(self, position: int) -> dict[str, Any]:
        """Return one history as a table: hours and code, value, unit."""
        start, end = self.offsets[[position, position + 1]]
        shown = self.frame.iloc[start : min(end, start + _MOST_SHOWN)]
        rows: list[list[Any]] = [
            [f"{hours:.1f} h  {code}", _plain(value), self.units.get(code, "")]
            for hours, code, value in zip(
                shown["hours"], shown["code"], shown["value"], strict=True
            )
        ]
        if end - start > _MOST_SHOWN:
            rows.append([f"and {end - start - _MOST_SHOWN} later events", None, ""])
        return {"type": "table", "rows": rows}


#: What core and the registry call this modality's payload.
PAYLOAD = Events


def no_events() -> pd.DataFrame:
    """Return a frame of events without a row."""
    return pd.DataFrame(
        {
            "item": np.zeros(0, np.int64),
            "hours": np.zeros(0),
            "code": np.zeros(0, object),
            "value": np.zeros(0),
        }
    )


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in _COLUMNS if name not in frame.columns]
    if missing:
        raise PayloadError(
            f"Events lack the column '{missing[0]}'.", given=list(frame.columns), allowed=_COLUMNS
        )
    try:
        columns = {
            "item": frame["item"].to_numpy(dtype=np.int64),
            "hours": frame["hours"].to_numpy(dtype=np.float64),
            "code": frame["code"].to_numpy(dtype=object),
            "value": frame["value"].to_numpy(dtype=np.float64, na_value=np.nan),
        }
    except (ValueError, TypeError) as error:
        raise PayloadError(
            "Items, hours and values of events must be numbers.", given=str(error)
        ) from error
    return pd.DataFrame(columns)


def _check_order(frame: pd.DataFrame, n: int) -> None:
    item, hours = frame["item"].to_numpy(), frame["hours"].to_numpy()
    if len(item) and (item.min() < 0 or item.max() >= n):
        raise PayloadError(
            "An event belongs to a sample that does not exist.",
            given=f"items {item.min()} to {item.max()}",
            allowed=f"0 to {n - 1}",
        )
    if not np.isfinite(hours).all():
        raise PayloadError(
            f"{int((~np.isfinite(hours)).sum())} events have no finite time.",
            next_step="Make them conditions of the subject, or leave them out.",
        )
    step = np.diff(item)
    wrong = np.flatnonzero((step < 0) | ((step == 0) & (np.diff(hours) < 0)))
    if len(wrong):
        raise PayloadError(
            "Events must be sorted by item and hours.",
            given=f"row {wrong[0] + 1} comes before row {wrong[0]}",
            next_step="Sort them with frame.sort_values(['item', 'hours'], kind='stable').",
        )


def _check_cells(frame: pd.DataFrame) -> None:
    codes = pd.unique(frame["code"])
    bad = [code for code in codes if not isinstance(code, str) or not code or "\0" in code]
    if bad:
        raise PayloadError("A code must be text that is not empty.", given=[repr(c) for c in bad])
    infinite = np.flatnonzero(np.isinf(frame["value"].to_numpy()))
    if len(infinite):
        row = frame.iloc[infinite[0]]
        raise PayloadError(
            f"Sample {row['item']} has an infinite value of '{row['code']}'.",
            next_step="Make the value missing (NaN).",
        )


def _lists(table: pa.Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the lengths of the lists of one column, and their entries."""
    if name not in table.column_names:
        raise PayloadError(f"The table lacks the column '{name}'.", given=table.column_names)
    column = table[name].combine_chunks()
    if not pa.types.is_list(column.type) and not pa.types.is_large_list(column.type):
        raise PayloadError(f"The column '{name}' must hold lists.", given=column.type)
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    return lengths.astype(np.int64), column.flatten().to_numpy(zero_copy_only=False)


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(f"{value:.7g}")
