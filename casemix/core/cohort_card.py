"""The dataset card of a cohort folder: YAML for the hub, prose and field tables for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from casemix.core.fields import Schema

if TYPE_CHECKING:
    from casemix.core.cohort import Cohort

_LABEL = {
    "synthetic": "**SYNTHETIC DATA. These patients do not exist.** Made by a generator that was "
    "fitted on other records; see the report beside it for fidelity, utility, privacy and linkage. "
    "Synthetic is not anonymous: judge the measured disclosure risk before you share it.",
    "phantom": "**PHANTOM DATA. These patients do not exist.** Drawn by a mechanistic simulator "
    "from published parameter ranges; not fit for clinical conclusions.",
    "real": "**REAL DATA.** Handle it under its licence and your data protection rules.",
}


@dataclass(frozen=True)
class Counts:
    """How many subjects, and how many samples of each modality, a cohort has."""

    subjects: int
    samples: Mapping[str, int]

    def __str__(self) -> str:
        """Return ``10 subjects; 10 tabular samples``."""
        named = ", ".join(f"{n} {modality} samples" for modality, n in self.samples.items())
        return f"{self.subjects} subjects; {named or 'no samples'}"


def card(cohort: Cohort, counts: Counts) -> str:
    """Return the text of ``README.md``.

    Args:
        cohort: the cohort, or its first part.
        counts: of all parts.
    """
    name = cohort.about.get("name", "cohort")
    lines = ["---", f"pretty_name: {json.dumps(name)}", "tags:", "- medical"]
    lines += ["- casemix", f"- {cohort.provenance}", "configs:"]
    for config in ("subjects", *counts.samples):
        lines += [f"- config_name: {config}", "  data_files:", "  - split: train"]
        lines += [f"    path: {config}/data-*.parquet"]
        lines += ["  default: true"] if config == "subjects" else []
    lines += ["---", "", f"# {name}", "", _LABEL[str(cohort.provenance)], ""]
    lines += [f"{counts}.", ""]
    lines += [f"- {key}: {value}" for key, value in cohort.about.items() if key != "name"]
    lines += ["", "## Subject fields", "", *_table(cohort.schema)]
    for modality, samples in cohort.samples.items():
        if samples.schema:
            lines += ["", f"## Fields of each {modality} record", "", *_table(samples.schema)]
    return "\n".join(lines) + "\n"


def _table(schema: Schema) -> list[str]:
    rows = ["| field | kind | unit | levels or range |", "|---|---|---|---|"]
    for f in schema:
        bounds = f"{f.range[0]:g} to {f.range[1]:g}" if f.range else ", ".join(f.levels[:20])
        rows.append(f"| {f.name} | {f.kind} | {f.unit} | {bounds} |")
    return rows
