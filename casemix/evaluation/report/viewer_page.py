"""The patient viewer: search and leaf through the linked patients of one or more cohorts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from casemix.core.cohort import Cohort
from casemix.core.files import atomic_text
from casemix.errors import EvaluationError
from casemix.evaluation.report.labels import LABELS, Label
from casemix.evaluation.report.page import render
from casemix.evaluation.report.records import Cell, Record, Size, cells, charts, record
from casemix.evaluation.report.series_figure import typical_ranges

_MOST_RECORDS = 12  # of one modality of one patient
_SIZE = Size(channels=12, chart_width=420.0, rows=200, characters=20_000)


@dataclass(frozen=True)
class _Patient:
    """One patient, ready to be shown.

    Args:
        subject_id: the patient's id.
        context: the specified cells of the recorded context.
        records: modality -> the patient's first records by time.
        counts: modality -> how many records the patient has.
    """

    subject_id: str
    context: tuple[Cell, ...]
    records: Mapping[str, Sequence[Record]]
    counts: Mapping[str, int]

    @property
    def summary(self) -> str:
        """The context in one line, for the list of patients."""
        return ", ".join(" ".join(part for part in cell if part) for cell in self.context)


@dataclass(frozen=True)
class _Group:
    """The embedded patients of one cohort."""

    name: str
    label: Label
    total: int
    patients: Sequence[_Patient]


def write_viewer(cohorts: Mapping[str, Cohort], path: Path, *, most: int = 60) -> None:
    """Write the patient viewer as one HTML file that works offline; atomic.

    Which cohorts are in it is the caller's choice: a cohort of real patients makes the page
    confidential, and each of its patients carries a warning.

    Args:
        cohorts: name -> cohort, the one to open first being the first.
        path: the file to write.
        most: patients embedded per cohort, evenly spread over its order; the page says how many
            there are in all.

    Raises:
        EvaluationError: no cohort, ``most`` below 1, or a payload preview outside its contract.
    """
    atomic_text(path, viewer_html(cohorts, most=most))


def viewer_html(cohorts: Mapping[str, Cohort], *, most: int = 60) -> str:
    """Return the viewer's HTML; see `write_viewer`."""
    if not cohorts or most < 1:
        raise EvaluationError(
            "The patient viewer has nothing to show.",
            given=f"{len(cohorts)} cohorts, most = {most}",
            allowed="at least one cohort and one patient",
        )
    groups = [_group(name, cohort, most) for name, cohort in cohorts.items()]
    shown = [found for g in groups for p in g.patients for found in p.records.values()]
    previews = [r.preview for found in shown for r in found]
    overlays = any(f.get("overlay") for p in previews for f in p.get("frames", ()))
    content = {
        "groups": groups,
        "ranges": typical_ranges(charts(shown)),
        "overlays": overlays,
        "size": _SIZE,
    }
    styles = ("base.css", "viewer.css")
    return render("viewer.html.j2", content, styles=styles, script="viewer.js")


def _group(name: str, cohort: Cohort, most: int) -> _Group:
    # Evenly spread: cohorts are often sorted by group, and the first patients would be all alike.
    spread = np.linspace(0, len(cohort) - 1, min(most, len(cohort))).astype(int).tolist()
    rows = {modality: _rows_by_subject(cohort, modality) for modality in cohort.modalities}
    patients = [_patient(cohort, i, rows) for i in spread]
    return _Group(name, LABELS[cohort.provenance], len(cohort), patients)


def _rows_by_subject(cohort: Cohort, modality: str) -> dict[str, list[int]]:
    """Return the positions of each subject's records, in order of time."""
    samples = cohort[modality]
    rows: dict[str, list[int]] = {}
    for position in np.argsort(samples.index["time"].to_numpy(), kind="stable"):
        rows.setdefault(str(samples.subject_ids[position]), []).append(int(position))
    return rows


def _patient(
    cohort: Cohort, position: int, rows: Mapping[str, Mapping[str, list[int]]]
) -> _Patient:
    subject_id = str(cohort.subjects.index[position])
    mine = {m: found[subject_id] for m, found in rows.items() if subject_id in found}
    return _Patient(
        subject_id,
        cells(cohort.subjects.iloc[position], cohort.schema),
        {m: [record(cohort[m], p) for p in found[:_MOST_RECORDS]] for m, found in mine.items()},
        {m: len(found) for m, found in mine.items()},
    )
