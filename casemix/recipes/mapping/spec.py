"""What a mapping may say: tables, subjects, and the records of each modality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from casemix.recipes.mapping.fields import Aggregate, FieldSpec, Levels
from casemix.recipes.mapping.parse import parse_block, problem


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
        decimal: decimal mark of a CSV file's numbers; a cell that is more than a number stays.
        encoding: of a CSV or JSON-lines file.
        where: comparisons that a row must meet: ``kind == 'cxr' and age >= 18``.
        match: column -> patterns, ``*`` for any text; the cell must match one of them.
        dates: column -> how its dates are written, as in ``strptime``, where not in ISO form.
        invalid_dates: a cell of those columns that is not a date stops the import, or is missing.
        require: columns that must not be missing.
        order_by: column to sort by before `distinct`.
        distinct: keep the first row of each combination of these columns.
        join: columns to take from other tables.
        number_rows: a new column that numbers the rows, for a table without ids.
    """

    file: str
    separator: str = ""
    decimal: Literal[".", ","] = "."
    encoding: str = "utf-8"
    where: str = ""
    match: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dates: Mapping[str, str] = field(default_factory=dict)
    invalid_dates: Literal["error", "missing"] = "error"
    require: tuple[str, ...] = ()
    order_by: str = ""
    distinct: tuple[str, ...] = ()
    join: tuple[JoinSpec, ...] = ()
    number_rows: str = ""


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
        soft_masks: a pixel between two labels counts as the nearer one (smoothed outlines).
        unreadable: a picture that cannot be read stops the import, or drops its record.
    """

    frames: Mapping[str, PictureSpec]
    size: tuple[int, int] | None = None
    mode: Literal["grey", "rgb"] = "grey"
    fit: Literal["pad", "crop", "stretch"] = "pad"
    window: tuple[float, float] | None = None
    masks: Mapping[str, PictureSpec] = field(default_factory=dict)
    mask_labels: Levels | None = None
    soft_masks: bool = False
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
