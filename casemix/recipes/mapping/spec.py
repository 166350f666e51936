"""What a mapping may say: tables, subjects, and the records of each modality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from casemix.errors import MappingError, did_you_mean
from casemix.recipes.mapping.fields import Aggregate, FieldSpec, Levels
from casemix.recipes.mapping.parse import block, join, parse, parse_block, problem, read_yaml

SHIPPED = Path(__file__).parent / "shipped"


@dataclass(frozen=True)
class JoinSpec:
    """Columns of another table, found by a key.

    Args:
        table: the other table.
        on: key columns that both tables have.
        columns: new column -> column of the other table.
        repeated: what to do where the other table has a key several times.
    """

    table: str
    on: tuple[str, ...]
    columns: Mapping[str, str]
    repeated: Literal["error", "first"] = "error"


@dataclass(frozen=True)
class TableSpec:
    """A file of rows, and which of them to use.

    Args:
        file: path below the root: .parquet, .csv, .tsv or .jsonl; ``*`` reads several files.
        separator: between the cells of a CSV file, by default a comma.
        decimal: decimal mark of a CSV file.
        encoding: of a CSV or JSON-lines file.
        where: comparisons that a row must meet: ``kind == 'cxr' and age >= 18``.
        match: column -> patterns, ``*`` for any text; the cell must match one of them.
        require: columns that must not be missing.
        order_by: column to sort by before `distinct`.
        distinct: keep the first row of each combination of these columns.
        join: columns to take from other tables.
    """

    file: str
    separator: str = ""
    decimal: Literal[".", ","] = "."
    encoding: str = "utf-8"
    where: str = ""
    match: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    require: tuple[str, ...] = ()
    order_by: str = ""
    distinct: tuple[str, ...] = ()
    join: tuple[JoinSpec, ...] = ()


@dataclass(frozen=True)
class SubjectsSpec:
    """Who the subjects are, and the context recorded of them.

    Args:
        table: the table; one row per subject, or see `repeated`.
        id: column of the subject id.
        fields: the context that everything else may be conditioned on.
        group: column; subjects of one group never part in a split.
        index_time: date column that the times of records count from.
        only_with: keep the subjects that have a record in each of these modalities.
        repeated: several rows of a subject are an error, or each field's first known value.
    """

    table: str
    id: str
    fields: Mapping[str, FieldSpec]
    group: str = ""
    index_time: str = ""
    only_with: tuple[str, ...] = ()
    repeated: Literal["error", "first"] = "error"


@dataclass(frozen=True)
class TimeSpec:
    """When a record was made.

    Args:
        column: numbers in `unit`, or dates.
        unit: ``s``, ``min``, ``h`` or ``d`` since the index time, or ``date``.
        since: what dates count from: the subject's index time, or its first record here.
        unknown: a missing time stops the import, drops the record, or counts as 0.
    """

    column: str
    unit: Literal["s", "min", "h", "d", "date"] = "h"
    since: Literal["index_time", "first_record"] = "index_time"
    unknown: Literal["error", "drop", "zero"] = "error"


@dataclass(frozen=True)
class EventsSpec:
    """A long table: one row per measurement.

    Args:
        table: the long table.
        key: column that says whose measurement it is; the records' table has it too.
        time: numbers in a unit, or dates (then `origin` is needed).
        variable: column of the code.
        value: column of the value.
        window: first and last hour to read, the last one excluded.
        origin: date column of the records' table at which the hours begin.
        aggregate: how several measurements become one value.
    """

    table: str
    key: str
    time: TimeSpec
    variable: str
    value: str
    window: tuple[float, float]
    origin: str = ""
    aggregate: Aggregate = "median"


@dataclass(frozen=True)
class ArraySpec:
    """Entries of an array in an .npz file, one per row.

    Args:
        file: the .npz file, below the root.
        key: name of the array; its first axis is the entry.
        row: column with the entry's position.
        names: name of an array of channel names, where the file has one.
    """

    file: str
    key: str
    row: str
    names: str = ""


@dataclass(frozen=True)
class PictureSpec:
    """Where one picture of a record is: exactly one of `file`, `bytes` and `array`.

    Args:
        file: column of file names, relative to `folder`.
        folder: folder below the root.
        bytes: column of encoded pictures (PNG, JPEG).
        array: entries of an array (n, h, w) or (n, h, w, 3).
    """

    file: str = ""
    folder: str = "."
    bytes: str = ""
    array: ArraySpec | None = None

    @classmethod
    def from_yaml(cls, value: Any, place: str) -> PictureSpec:
        """Read the block and check that it names one source."""
        spec: PictureSpec = parse_block(cls, value, place)
        if sum(map(bool, (spec.file, spec.bytes, spec.array))) != 1:
            raise problem(place, "give exactly one of file, bytes and array.")
        return spec


@dataclass(frozen=True, kw_only=True)
class Records:
    """What the records of every modality have.

    Args:
        table: one row per record.
        subject: column of the subject id.
        id: column or columns that make up the record's id; by default the subject's id, for
            one record per subject.
        time: when; by default all at 0.
        fields: record-level fields.
        orphans: records of unknown subjects stop the import, or are dropped.
    """

    table: str
    subject: str
    id: tuple[str, ...] = ()
    time: TimeSpec | None = None
    fields: Mapping[str, FieldSpec] = field(default_factory=dict)
    orphans: Literal["error", "drop"] = "error"


@dataclass(frozen=True, kw_only=True)
class TabularRecords(Records):
    """Rows of a table.

    Args:
        columns: the content; from columns, or from events by `FieldSpec.codes`.
        events: the long table of those with codes.
    """

    columns: Mapping[str, FieldSpec]
    events: EventsSpec | None = None


@dataclass(frozen=True, kw_only=True)
class SeriesRecords(Records):
    """Series on a regular grid: exactly one of `events` and `array`.

    Args:
        channels: the quantities, in order; all numeric.
        step_seconds: seconds per step.
        events: measurements to put on the grid.
        array: ready series, (n, steps, channels).
    """

    channels: Mapping[str, FieldSpec]
    step_seconds: float
    events: EventsSpec | None = None
    array: ArraySpec | None = None


@dataclass(frozen=True, kw_only=True)
class TextRecords(Records):
    """Notes.

    Args:
        text: column or columns of the text; the known ones become paragraphs.
    """

    text: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ImagingRecords(Records):
    """Pictures.

    Args:
        frames: frame name -> picture.
        size: height and width in pixels; needed where the pictures differ in size.
        mode: grey or rgb; rgb takes one frame.
        fit: how a picture of another shape comes to `size`: padded, cropped or stretched.
        window: values that become black and white, for pictures of more than 8 bits.
        masks: frame name -> label picture; a missing cell means no mask.
        mask_labels: pixel -> label; the background first.
        unreadable: a picture that cannot be read stops the import, or drops its record.
    """

    frames: Mapping[str, PictureSpec]
    size: tuple[int, int] | None = None
    mode: Literal["grey", "rgb"] = "grey"
    fit: Literal["pad", "crop", "stretch"] = "pad"
    window: tuple[float, float] | None = None
    masks: Mapping[str, PictureSpec] = field(default_factory=dict)
    mask_labels: Levels | None = None
    unreadable: Literal["error", "drop"] = "error"


MODALITIES: Mapping[str, type[Records]] = {
    "imaging": ImagingRecords,
    "tabular": TabularRecords,
    "text": TextRecords,
    "timeseries": SeriesRecords,
}


@dataclass(frozen=True)
class About:
    """Facts for the data card."""

    name: str
    source: str
    licence: str
    notes: str = ""


@dataclass(frozen=True)
class MappingSpec:
    """A whole mapping.

    Args:
        about: name, source and licence, copied to the cohort.
        tables: table name -> file and rows.
        subjects: see `SubjectsSpec`.
        samples: modality -> its records.
        provenance: ``real``, or ``synthetic`` for the output of another tool.
    """

    about: About
    tables: Mapping[str, TableSpec]
    subjects: SubjectsSpec
    samples: Mapping[str, Records]
    provenance: Literal["real", "synthetic", "phantom"] = "real"

    @classmethod
    def from_yaml(cls, value: Any, place: str) -> MappingSpec:
        """Read a mapping and check that its parts fit together."""
        given = dict(block(value, place))
        samples = _samples(given.pop("samples", {}))
        spec: MappingSpec = parse_block(cls, {**given, "samples": {}}, place)
        whole = MappingSpec(spec.about, spec.tables, spec.subjects, samples, spec.provenance)
        _check(whole)
        return whole


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
    return parse(MappingSpec, read_yaml(path), "")


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
    for place, name in tables:
        _known(place, "table", name, spec.tables)
    for i, modality in enumerate(spec.subjects.only_with):
        _known(f"subjects.only_with.{i}", "modality of this mapping", modality, spec.samples)


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
    if isinstance(records, TabularRecords) and records.events is None:
        for name, column in records.columns.items():
            if column.codes:
                raise problem(f"{place}.columns.{name}", "'codes' needs an 'events' block.")
    for name, column in records.fields.items():
        if column.codes:
            raise problem(f"{place}.fields.{name}", "record-level fields come from columns.")


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
        (records.size is not None and min(records.size) < 1, "a size is at least 1 pixel."),
    ]
    for broken, what in rules:
        if broken:
            raise problem(place, what)
