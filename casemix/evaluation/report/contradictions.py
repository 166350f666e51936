"""The report's section on patients who contradict themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from casemix.core.cohort import Cohort
from casemix.evaluation.report.labels import ABSENT, number, share
from casemix.evaluation.report.records import Cell, Record, cells, charts, record
from casemix.evaluation.report.series_figure import Ranges, typical_ranges

_MOST_SHOWN = 4


@dataclass(frozen=True)
class Contradicting:
    """One synthetic patient with what contradicts in it."""

    subject_id: str
    breaks: Sequence[str]
    context: Sequence[Cell]
    records: Sequence[Record]


@dataclass(frozen=True)
class Section:
    """What the section shows.

    Args:
        rows: per agreement that somebody breaks its words, strength, and the rates in reference
            and synthetic; most broken by synthetic patients first.
        kept: the words of those that nobody breaks.
        patients: the share of patients who break any, in reference and synthetic.
        worst: the synthetic patients who break most.
        ranges: of the charts among their records.
    """

    rows: Sequence[tuple[str, str, str, str]]
    kept: Sequence[str]
    patients: tuple[str, str]
    worst: Sequence[Contradicting]
    ranges: Ranges


def section(metrics: Mapping[str, Any], synthetic: Cohort) -> Section | None:
    """Return the section, or None where contradictions were not measured."""
    found = metrics.get("contradictions") or {}
    if not found.get("agreements"):
        return None
    agreements = sorted(found["agreements"], key=lambda a: -(a["synthetic"]["rate"] or 0.0))
    broken = [a for a in agreements if any(a[arm]["rate"] for arm in ("holdout", "synthetic"))]
    rows = [
        (a["words"], number(a["strength"], 2), _rate(a["holdout"]), _rate(a["synthetic"]))
        for a in broken
    ]
    kept = [a["words"] for a in agreements if a not in broken]
    patients = tuple(_rate(found["patients"][arm]) for arm in ("holdout", "synthetic"))
    known = set(synthetic.subjects.index)
    worst = [_patient(w, synthetic) for w in found["worst"] if w["subject_id"] in known]
    worst = worst[:_MOST_SHOWN]
    ranges = typical_ranges(charts([w.records for w in worst]))
    return Section(rows, kept, (patients[0], patients[1]), worst, ranges)


def _rate(arm: Mapping[str, Any]) -> str:
    if arm["rate"] is None:
        return ABSENT
    low, high = arm["interval"]
    return f"{share(arm['rate'])} [{share(low)}, {share(high)}] of {arm['n']}"


def _patient(entry: Mapping[str, Any], cohort: Cohort) -> Contradicting:
    subject = entry["subject_id"]
    records = [
        record(samples, int(position))
        for samples in cohort.samples.values()
        for position in np.flatnonzero(samples.subject_ids == subject)[:1]
    ]
    context = cells(cohort.subjects.loc[subject], cohort.schema)
    return Contradicting(subject, entry["breaks"], context, records)
