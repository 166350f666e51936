"""Records as people see them, and which ones a gallery shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from casemix.core import seeding
from casemix.core.cohort import Cohort
from casemix.core.fields import Schema
from casemix.core.samples import Samples
from casemix.errors import EvaluationError
from casemix.evaluation.report import labels
from casemix.evaluation.report.series_figure import Ranges, series_chart

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_PREVIEWS = ("table", "chart", "text", "image")

#: One line of context or of a record: name, value as text, unit.
Cell = tuple[str, str, str]


@dataclass(frozen=True)
class Size:
    """How much of a record a page shows; what is left out is counted there.

    Args:
        channels: channels of a chart.
        chart_width: width of a chart in its own units; text in it has a fixed size.
        rows: rows of a table.
        characters: characters of a text.
    """

    channels: int
    chart_width: float
    rows: int
    characters: int


@dataclass(frozen=True)
class Record:
    """One record, ready to be shown.

    Args:
        sample_id: the record's id.
        subject_id: whose record it is.
        modality: its modality.
        time: hours since the subject's index time.
        fields: record-level fields that are specified.
        preview: the payload's preview; see `casemix.core.samples.Payload.preview`.
    """

    sample_id: str
    subject_id: str
    modality: str
    time: float
    fields: tuple[Cell, ...]
    preview: Mapping[str, Any]

    @property
    def when(self) -> str:
        """The record's time in words."""
        return f"{labels.cell(self.time)} h"

    def chart(self, ranges: Ranges, size: Size) -> Markup:
        """Return a chart preview as a picture."""
        words = f"{self.modality} of {self.subject_id}"
        return series_chart(self.preview, ranges, words, most=size.channels, width=size.chart_width)


def record(samples: Samples, position: int) -> Record:
    """Return one record of a modality.

    Raises:
        EvaluationError: a preview that is not one of the contract's, or pixels that are not a
            base64 PNG.
    """
    row = samples.index.iloc[position]
    preview = samples.payload.preview(int(position))
    _check(samples.modality, preview)
    return Record(
        sample_id=str(samples.index.index[position]),
        subject_id=str(row["subject_id"]),
        modality=samples.modality,
        time=float(row["time"]),
        fields=cells(row, samples.schema),
        preview=preview,
    )


def cells(row: pd.Series, schema: Schema) -> tuple[Cell, ...]:
    """Return a row's specified cells as text with units."""
    values = ((field, row[field.name]) for field in schema)
    return tuple(
        (f.name, labels.cell(v), labels.unit(f.unit)) for f, v in values if not labels.absent(v)
    )


def galleries(cohort: Cohort, *, seed: int, count: int) -> dict[str, list[Record]]:
    """Return per modality one record of each of ``count`` random subjects.

    The order of subjects is the same for every modality, so that a gallery's patients come back
    in the next one.
    """
    order = seeding.generator(seed, "report gallery").permutation(len(cohort))
    subjects = cohort.subjects.index[order]
    shown = {}
    for modality, samples in cohort.samples.items():
        first = pd.Series(np.arange(len(samples)), index=samples.subject_ids)
        first = first[~first.index.duplicated()]
        chosen = [s for s in subjects if s in first.index][:count]
        shown[modality] = [record(samples, int(first[s])) for s in chosen]
    return shown


def charts(found: Iterable[Sequence[Record]]) -> list[Mapping[str, Any]]:
    """Return the chart previews among these records."""
    return [r.preview for group in found for r in group if r.preview["type"] == "chart"]


def _check(modality: str, preview: Mapping[str, Any]) -> None:
    if preview.get("type") not in _PREVIEWS:
        raise EvaluationError(
            f"A {modality} record has a preview of an unknown type.",
            given=preview.get("type"),
            allowed=_PREVIEWS,
            next_step="Mend the payload's preview method.",
        )
    if preview["type"] != "image":
        return
    for frame in preview["frames"]:
        for png in (frame["png"], frame.get("overlay")):
            if png is not None and not _BASE64.fullmatch(png):
                raise EvaluationError(
                    f"A {modality} preview holds pixels that are not a base64 PNG.",
                    given=repr(png[:40]),
                    next_step="Mend the payload's preview method.",
                )
