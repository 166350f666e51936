"""Judge a synthetic cohort and write the files that people read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from casemix.core.cohort import Cohort
from casemix.core.files import atomic_json, atomic_text, read_json
from casemix.core.seeding import child
from casemix.evaluation.arms import Questions
from casemix.evaluation.rules.language import load_rules
from casemix.recipes.run_folder import RunFolder


def judge(
    folder: RunFolder,
    train: Cohort,
    holdout: Cohort,
    synthetic: Cohort,
    *,
    seed: int,
    questions: Questions | None = None,
    chain: Mapping[str, Any] | None = None,
    rules: str | Path = "",
    seeds: int = 1,
) -> None:
    """Write ``metrics.json``, ``report.html``, ``summary.md`` and ``patients.html``.

    Args:
        folder: the run folder.
        train: the real subjects that the generator was fitted on.
        holdout: real subjects that it never saw.
        synthetic: the cohort under test.
        seed: seed of the evaluation.
        questions: see `casemix.evaluation.protocol.evaluate`.
        chain: order, reads and which links were learnt from linked data, for the report.
        rules: a file of clinical rules that are added to the shipped ones, or ``""``.
        seeds: evaluations at seeds of their own, whose scores are averaged.
    """
    stated = load_rules(Path(rules) if rules else None)

    def measure(draft: Path, seed: int = seed) -> None:
        from casemix.evaluation.protocol import evaluate

        result = evaluate(
            train,
            holdout,
            synthetic,
            seed=seed,
            questions=questions,
            rules=stated,
            workers=os.cpu_count() or 1,
            progress=folder.progress,
        )
        atomic_json(draft, result | ({"chain": dict(chain)} if chain else {}))

    def average(draft: Path) -> None:
        from casemix.evaluation.repeated import averaged

        of_seeds = [seed, *(child(seed, "repeat", k) for k in range(1, seeds))]
        parts = [
            folder.once(
                f"metrics.seed{number}.json",
                f"evaluate, seed {number} of {seeds}",
                partial(measure, seed=own),
            )
            for number, own in enumerate(of_seeds, start=1)
        ]
        atomic_json(draft, averaged([read_json(part) for part in parts]))

    measured = folder.once("metrics.json", "evaluate", measure if seeds == 1 else average)
    metrics = read_json(measured)

    def report(draft: Path) -> None:
        from casemix.evaluation.report.report_page import write_report

        write_report(metrics, holdout, synthetic, draft)

    def summary(draft: Path) -> None:
        from casemix.evaluation.report.summary import markdown_summary

        atomic_text(draft, markdown_summary(metrics))

    def viewer(draft: Path) -> None:
        from casemix.evaluation.report.viewer_page import write_viewer

        write_viewer({"synthetic": synthetic, str(holdout.provenance): holdout}, draft)

    folder.once("report.html", "write the report", report)
    folder.once("summary.md", "write the summary", summary)
    folder.once("patients.html", "write the patient viewer", viewer)
