"""Mappings by path or shipped name, and the checks that need a whole mapping."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from casemix.errors import MappingError, did_you_mean
from casemix.recipes.mapping.fields import FieldSpec
from casemix.recipes.mapping.parse import block, join, parse, parse_block, problem, read_yaml
from casemix.recipes.mapping.spec import (
    MODALITIES,
    EventsSpec,
    ImagingRecords,
    MappingSpec,
    Records,
    SeriesRecords,
    TabularRecords,
)

SHIPPED = Path(__file__).parent / "shipped"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_RESERVED = frozenset({"subject_id", "sample_id", "time", "split_group", "and", "or", "not", "in"})


def shipped() -> list[str]:
    """Return the names of the mappings that come with casemix."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load_mapping(path_or_name: Path | str) -> MappingSpec:
    """Read a mapping from a YAML file, or a shipped one by its name.

    Raises:
        MappingError: no such mapping, or a mistake in it.
    """
    path = Path(path_or_name)
    if path.suffix not in (".yaml", ".yml"):
        if str(path_or_name) not in shipped():
            raise MappingError(
                f"Unknown mapping '{path_or_name}'.",
                allowed=[*shipped(), "or the path of a .yaml file"],
                next_step=did_you_mean(str(path_or_name), shipped()),
            )
        path = SHIPPED / f"{path_or_name}.yaml"
    return mapping_of(read_yaml(path))


def mapping_of(content: Any) -> MappingSpec:
    """Return the mapping that a YAML content describes.

    Raises:
        MappingError: a mistake in it; the message names the place.
    """
    given = dict(block(content, ""))
    samples = _samples(given.pop("samples", {}))
    spec: MappingSpec = parse_block(MappingSpec, {**given, "samples": {}}, "")
    spec = replace(spec, samples=samples)
    _check(spec)
    return spec


def _samples(value: Any) -> dict[str, Records]:
    samples = {}
    for modality, content in block(value, "samples").items():
        if modality not in MODALITIES:
            raise problem(
                "samples",
                f"unknown modality '{modality}'.",
                allowed=sorted(MODALITIES),
                next_step=did_you_mean(modality, MODALITIES),
            )
        samples[modality] = parse(MODALITIES[modality], content, join("samples", modality))
    return samples


def _check(spec: MappingSpec) -> None:
    tables = [("subjects.table", spec.subjects.table)]
    for name, table in spec.tables.items():
        tables += [(f"tables.{name}.join.{i}", j.table) for i, j in enumerate(table.join)]
    for modality, records in spec.samples.items():
        place = f"samples.{modality}"
        tables.append((f"{place}.table", records.table))
        events = getattr(records, "events", None)
        if events is not None:
            tables.append((f"{place}.events.table", events.table))
            _check_events(events, f"{place}.events")
        _check_records(records, place)
    _check_names(spec)
    for place, name in tables:
        _known(place, "table", name, spec.tables)
    for i, modality in enumerate(spec.subjects.only_with):
        _known(f"subjects.only_with.{i}", "modality of this mapping", modality, spec.samples)


def _check_names(spec: MappingSpec) -> None:
    """Raise for names that later clash in a cohort folder, a filter or a condition."""
    _check_fields("subjects.fields", spec.subjects.fields)
    for modality, records in spec.samples.items():
        place = f"samples.{modality}"
        _check_fields(f"{place}.fields", records.fields)
        content: Mapping[str, FieldSpec] = {}
        if isinstance(records, TabularRecords | SeriesRecords):
            block_name = "columns" if isinstance(records, TabularRecords) else "channels"
            content = getattr(records, block_name)
            _check_fields(f"{place}.{block_name}", content, events=records.events is not None)
        twice = set(records.fields) & (set(content) | set(spec.subjects.fields))
        if twice:
            raise problem(f"{place}.fields", "a field is named twice.", given=sorted(twice))


def _check_fields(place: str, fields: Mapping[str, FieldSpec], *, events: bool = False) -> None:
    for name, field in fields.items():
        if not _NAME.fullmatch(name) or name in _RESERVED:
            raise problem(
                join(place, name),
                "a field needs another name.",
                given=repr(name),
                allowed="a lower-case letter, then lower-case letters, digits and _; but none of "
                + ", ".join(sorted(_RESERVED)),
            )
        if field.codes and not events:
            raise problem(join(place, name), "'codes' needs an 'events' block beside the fields.")


def _known(place: str, what: str, name: str, names: Mapping[str, Any]) -> None:
    if name not in names:
        raise problem(
            place, f"no {what} '{name}'.", allowed=list(names), next_step=did_you_mean(name, names)
        )


def _check_events(events: EventsSpec, place: str) -> None:
    if events.window[0] >= events.window[1]:
        raise problem(f"{place}.window", "the first hour must come before the last.")
    if (events.time.unit == "date") != bool(events.origin):
        raise problem(place, "'origin' goes with 'unit: date', and the one needs the other.")


def _check_records(records: Records, place: str) -> None:
    if isinstance(records, SeriesRecords):
        _check_series(records, place)
    if isinstance(records, ImagingRecords):
        _check_imaging(records, place)


def _check_series(records: SeriesRecords, place: str) -> None:
    if (records.events is None) == (records.array is None):
        raise problem(place, "give exactly one of 'events' and 'array'.")
    for name, channel in records.channels.items():
        if channel.kind != "numeric":
            raise problem(f"{place}.channels.{name}", "a channel is numeric.", given=channel.kind)
        if records.events is not None and not channel.codes:
            raise problem(f"{place}.channels.{name}", "name the event 'codes' of the channel.")
    if records.step_seconds <= 0:
        raise problem(f"{place}.step_seconds", "a step takes time.", given=records.step_seconds)


def _check_imaging(records: ImagingRecords, place: str) -> None:
    rules = [
        (not records.frames, "name at least one frame."),
        (records.mode == "rgb" and len(records.frames) > 1, "rgb takes one frame."),
        (bool(records.masks) != bool(records.mask_labels), "masks and mask_labels go together."),
        (
            len(records.masks) > 1 and set(records.masks) != set(records.frames),
            "give one mask for all frames, or one for each frame under its name.",
        ),
        (
            any(not raw.isdecimal() for raw in _raw_labels(records)),
            "mask_labels are written as pixel: label, such as {0: background, 255: lung}.",
        ),
        (
            records.window is not None and records.window[0] >= records.window[1],
            "the window's black comes before its white.",
        ),
        (records.size is not None and min(records.size) < 1, "a size is at least 1 pixel."),
    ]
    for broken, what in rules:
        if broken:
            raise problem(place, what)


def _raw_labels(records: ImagingRecords) -> list[str]:
    return list(records.mask_labels.meaning) if records.mask_labels else []
