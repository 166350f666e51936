"""MEDS in and out, as one of the formats; the work is done in the modality of event streams."""

from __future__ import annotations

from pathlib import Path

from casemix.core.cohort import Cohort
from casemix.modalities.events.formats.meds import read_meds, write_meds


def read(root: Path) -> tuple[Cohort, list[str]]:
    """Read a MEDS data set; see `casemix.modalities.events.formats.meds.read_meds`."""
    return read_meds(root)


def write(cohort: Cohort, out: Path) -> list[str]:
    """Write the event streams of a cohort as MEDS and return what was left out or changed."""
    notes = write_meds(cohort, out)
    others = [modality for modality in cohort.samples if modality != "events"]
    return [*notes, f"Not event streams, left out: {', '.join(others)}."] if others else notes
