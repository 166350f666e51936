"""The README of an exported folder: what the patients are, and what is not in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from casemix import __version__
from casemix.core.cohort import Cohort, Provenance

LABELS: Mapping[Provenance, str] = {
    Provenance.SYNTHETIC: "SYNTHETIC DATA: these patients do not exist.",
    Provenance.PHANTOM: "PHANTOM (simulated) DATA: these patients do not exist.",
    Provenance.REAL: "REAL DATA: handle it under its licence and your data protection rules.",
}


def write_readme(folder: Path, cohort: Cohort, what: str, notes: Sequence[str]) -> None:
    """Write ``README.md``.

    Args:
        folder: where.
        cohort: whose subjects.
        what: the format, one sentence.
        notes: what was left out or changed.
    """
    counts = ", ".join(f"{len(s)} {m} samples" for m, s in cohort.samples.items())
    lines = [f"# {cohort.about.get('name', 'cohort')}", "", f"**{LABELS[cohort.provenance]}**", ""]
    lines += [f"{what} Written by casemix {__version__}.", ""]
    lines += [f"{len(cohort)} subjects; {counts or 'no samples'}.", ""]
    lines += [f"- {key}: {value}" for key, value in cohort.about.items() if key != "name"]
    lines += ["", "## Left out or changed", "", *(f"- {note}" for note in notes)] if notes else []
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
