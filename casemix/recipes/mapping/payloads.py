"""Payloads of each modality from the rows of its table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from casemix.core import registry
from casemix.core.fields import Schema
from casemix.errors import CohortError, PayloadError
from casemix.recipes.mapping.cells import typed
from casemix.recipes.mapping.events import Events
from casemix.recipes.mapping.fields import FieldSpec
from casemix.recipes.mapping.files import ArrayFiles
from casemix.recipes.mapping.parse import problem
from casemix.recipes.mapping.pictures import (
    PictureColumn,
    eight_bit,
    entries,
    fitted,
    label_positions,
    same_size,
)
from casemix.recipes.mapping.report import Ledger
from casemix.recipes.mapping.spec import (
    ImagingRecords,
    Records,
    SeriesRecords,
    TabularRecords,
    TextRecords,
)
from casemix.recipes.mapping.tables import Tables, column
from casemix.recipes.mapping.times import between, since


@dataclass(frozen=True)
class Source:
    """What payloads are read from.

    Args:
        tables: the mapping's tables.
        arrays: the array files.
        ledger: where counts and what is left out are noted.
    """

    tables: Tables
    arrays: ArrayFiles
    ledger: Ledger


@dataclass(frozen=True)
class Built:
    """A payload, and the rows that it was made of.

    Args:
        payload: one item per kept row.
        kept: positions of the rows, ascending.
    """

    payload: Any
    kept: np.ndarray


def build_payload(records: Records, rows: pd.DataFrame, source: Source, place: str) -> Built:
    """Return the payload of a modality's rows; rows without content are left out and noted."""
    if isinstance(records, TabularRecords):
        return _table(records, rows, source, place)
    if isinstance(records, SeriesRecords):
        return _series(records, rows, source, place)
    if isinstance(records, TextRecords):
        return _notes(records, rows, source, place)
    assert isinstance(records, ImagingRecords)
    return _images(records, rows, source, place)


def check_some(count: int, place: str) -> None:
    """Raise unless something is left to import.

    Raises:
        CohortError: nothing is left.
    """
    if count == 0:
        raise CohortError(
            f"{place}: no record is left.",
            next_step="Check the table's filters and the subject ids, or take the modality out.",
        )


def schema_of(fields: Mapping[str, FieldSpec], place: str) -> Schema:
    """Return the typed fields of a block."""
    return Schema(tuple(spec.field(name, f"{place}.{name}") for name, spec in fields.items()))


def typed_columns(
    fields: Mapping[str, FieldSpec], rows: pd.DataFrame, ledger: Ledger, place: str
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the fields of a table's rows, and which rows a field's ``outside: drop`` drops."""
    columns, drop = {}, np.zeros(len(rows), dtype=bool)
    for name, spec in fields.items():
        cells = typed(_raw(name, spec, rows, f"{place}.{name}"), spec, f"{place}.{name}")
        ledger.fields.append(cells.counts)
        columns[name] = cells.values
        drop |= cells.drop
    return pd.DataFrame(columns, index=rows.index), drop


def _raw(name: str, spec: FieldSpec, rows: pd.DataFrame, place: str) -> pd.Series:
    found = [column(rows, c, f"{place}.column") for c in spec.column or (name,)]
    if spec.since:
        return since(rows, found[0], spec.since, spec.unit, place)
    if spec.until:
        return between(found[0], column(rows, spec.until, f"{place}.until"), spec.unit, place)
    if len(found) == 1:
        return found[0]
    lists = [[cell for cell in cells if pd.notna(cell)] for cells in zip(*found, strict=True)]
    return pd.Series(lists, index=rows.index, dtype=object)


def _table(records: TabularRecords, rows: pd.DataFrame, source: Source, place: str) -> Built:
    place = f"{place}.columns"
    plain = {n: c for n, c in records.columns.items() if not c.codes}
    frame, drop = typed_columns(plain, rows, source.ledger, place)
    if records.events is not None:
        where = place.replace(".columns", ".events")
        events = Events.read(records.events, source.tables, rows, source.ledger, where)
        for name, spec in records.columns.items():
            if spec.codes:
                cells = events.per_record(spec, source.ledger, f"{place}.{name}")
                frame[name] = cells.set_axis(rows.index)
    source.ledger.drop(place, drop.sum(), len(rows), "a number outside its range")
    kept = np.flatnonzero(~drop)
    check_some(len(kept), place)
    schema = schema_of(records.columns, place)
    ids = pd.RangeIndex(len(kept))
    content = frame[list(schema.names)].iloc[kept].set_axis(ids)
    return Built(registry.payload_type("tabular")(content, schema), kept)


def _series(records: SeriesRecords, rows: pd.DataFrame, source: Source, place: str) -> Built:
    where = f"{place}.channels"
    schema = schema_of(records.channels, where)
    if records.events is not None:
        events = Events.read(records.events, source.tables, rows, source.ledger, f"{place}.events")
        values = events.grid(records.channels, records.step_seconds, source.ledger, where)
    else:
        values = _ready_series(records, rows, source, place)
    recorded = ~np.isnan(values).all(axis=(1, 2))
    source.ledger.drop(place, (~recorded).sum(), len(rows), "no value in any channel")
    kept = np.flatnonzero(recorded)
    check_some(len(kept), place)
    payload = registry.payload_type("timeseries")(values[kept], records.step_seconds, tuple(schema))
    return Built(payload, kept)


def _ready_series(
    records: SeriesRecords, rows: pd.DataFrame, source: Source, place: str
) -> np.ndarray:
    """Return float32 (n, steps, channels) from an array file."""
    spec = records.array
    assert spec is not None
    where = f"{place}.array"
    array = source.arrays.get(spec.file, spec.key, where)
    if array.ndim != 3:
        raise problem(where, "an array (entries, steps, channels) is needed.", given=array.shape)
    taken = entries(array, column(rows, spec.row, f"{where}.row"), spec, where)
    out = np.empty((*taken.shape[:2], len(records.channels)), dtype=np.float32)
    for c, (name, channel) in enumerate(records.channels.items()):
        at = _channel(records, name, c, array.shape[2], source, place)
        flat = pd.Series(taken[:, :, at].reshape(-1))
        cells = typed(flat, channel, f"{place}.channels.{name}")
        source.ledger.fields.append(cells.counts)
        out[:, :, c] = cells.values.mask(cells.drop).to_numpy().reshape(taken.shape[:2])
    return out


def _channel(
    records: SeriesRecords, name: str, order: int, count: int, source: Source, place: str
) -> int:
    """Return where a channel stands on the array's last axis."""
    spec = records.array
    assert spec is not None
    where = f"{place}.channels.{name}"
    if not spec.names:
        if len(records.channels) != count:
            raise problem(
                f"{place}.channels",
                "the array has another number of channels.",
                given=f"{len(records.channels)} named, {count} in {spec.file}",
                next_step="Name them all in order, or give 'array.names'.",
            )
        return order
    names = [str(v) for v in source.arrays.get(spec.file, spec.names, f"{place}.array.names")]
    wanted = records.channels[name].column[0] if records.channels[name].column else name
    if wanted not in names:
        raise problem(where, f"the array has no channel '{wanted}'.", allowed=names)
    return names.index(wanted)


def _notes(records: TextRecords, rows: pd.DataFrame, source: Source, place: str) -> Built:
    columns = [column(rows, name, f"{place}.text") for name in records.text]
    texts = ["\n".join(_paragraphs(cells)) for cells in zip(*columns, strict=True)]
    kept = np.flatnonzero([bool(text) for text in texts])
    source.ledger.drop(place, len(texts) - len(kept), len(texts), "no text")
    check_some(len(kept), place)
    return Built(registry.payload_type("text")(tuple(texts[i] for i in kept)), kept)


def _paragraphs(cells: tuple[Any, ...]) -> list[str]:
    known = [str(cell).strip() for cell in cells if pd.notna(cell)]
    return [text for text in known if text]


def _images(records: ImagingRecords, rows: pd.DataFrame, source: Source, place: str) -> Built:
    root, arrays = source.tables.root, source.arrays
    frames = [
        PictureColumn.of(root, spec, arrays, rows, f"{place}.frames.{name}", labels=False)
        for name, spec in records.frames.items()
    ]
    ordered = [n for n in records.frames if n in records.masks] or list(records.masks)
    masks = [
        PictureColumn.of(
            root, records.masks[name], arrays, rows, f"{place}.masks.{name}", labels=True
        )
        for name in ordered
    ]
    pixels, labels, kept = [], [], []
    size = records.size
    for position in range(len(rows)):
        try:
            whole = [eight_bit(f.pixels(position), records, place) for f in frames]
            mask = _mask(masks, position, records, place)
        except PayloadError:
            if records.unreadable == "error":
                raise
            continue
        size = size or (whole[0].shape[0], whole[0].shape[1])
        for picture in [*whole, *(mask or [])]:
            same_size(picture, size, records, place)
        pixels.append(_channels_first([fitted(p, size, records.fit, labels=False) for p in whole]))
        labels.append(mask and [fitted(m, size, records.fit, labels=True) for m in mask])
        kept.append(position)
    source.ledger.drop(place, len(rows) - len(kept), len(rows), "a picture cannot be read")
    check_some(len(kept), place)
    has_mask = np.array([mask is not None for mask in labels])
    payload = registry.payload_type("imaging")(
        np.stack(pixels),
        ("R", "G", "B") if records.mode == "rgb" else tuple(records.frames),
        _stacked(labels, len(masks), size) if masks else None,
        records.mask_labels.names if records.mask_labels else (),
        has_mask if masks else None,
    )
    return Built(payload, np.array(kept))


def _mask(
    columns: list[PictureColumn], position: int, records: ImagingRecords, place: str
) -> list[np.ndarray] | None:
    if not columns or not all(c.present(position) for c in columns):
        return None
    return [label_positions(c.pixels(position), records, place) for c in columns]


def _channels_first(frames: list[np.ndarray]) -> np.ndarray:
    """Return uint8 (c, h, w) from grey frames (h, w), or from one colour frame (h, w, 3)."""
    return frames[0].transpose(2, 0, 1) if frames[0].ndim == 3 else np.stack(frames)


def _stacked(
    labels: list[list[np.ndarray] | None], count: int, size: tuple[int, int] | None
) -> np.ndarray:
    """Return uint8 (n, m, h, w), background where a record has no mask."""
    assert size is not None
    empty = np.zeros((count, *size), dtype=np.uint8)
    return np.stack([empty if mask is None else np.stack(mask) for mask in labels])
