"""Three cohorts by their paths, made by any tool: judged into one run folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console

from casemix.core.cohort import Provenance
from casemix.core.files import atomic_text
from casemix.core.progress import Progress
from casemix.evaluation.arms import Questions
from casemix.recipes.judge import judge
from casemix.recipes.run_folder import RunFolder
from casemix.recipes.tables import read_cohorts


def evaluate_paths(
    paths: Mapping[str, Path],
    out: Path,
    *,
    questions: Questions,
    mapping: Path | None = None,
    subject: str = "",
    rules: Path | None = None,
    seeds: int = 1,
    seed: int = 0,
    progress: Progress,
) -> None:
    """Judge the cohorts at these paths; see `casemix.recipes.judge.judge` for what is written.

    Args:
        paths: ``real``, ``holdout`` and ``synthetic``: cohort folders, or CSV or parquet tables.
        out: the run folder.
        questions: see `casemix.evaluation.protocol.evaluate`.
        mapping: how to read tables, or None to infer it.
        subject: column that names the subject of a table's row.
        rules: clinical rules that are added to the shipped ones.
        seeds: evaluations at seeds of their own, whose scores are averaged.
        seed: seed of the evaluation.
        progress: where to report.

    Raises:
        RunError: a path with nothing to read, or a run folder of another run.
        MappingError: tables that do not fit the mapping.
    """
    console = Console(stderr=True)
    read = read_cohorts(paths, mapping=mapping, subject=subject)
    cohorts = dict(read.cohorts)
    if not paths["synthetic"].is_dir():
        cohorts["synthetic"] = replace(cohorts["synthetic"], provenance=Provenance.SYNTHETIC)
    about = {
        "recipe": "evaluate",
        "cohorts": [str(path.resolve()) for path in paths.values()],
        "questions": asdict(questions),
        "rules": rules.read_text(encoding="utf-8") if rules else "",
        "mapping": read.mapping,
        "seeds": seeds,
        "seed": seed,
    }
    for line in read.notes:
        console.print(line, markup=False, highlight=False)
    folder = RunFolder.open(out, about, console=console, progress=progress)
    if read.mapping:
        atomic_text(out / "mapping.yaml", read.mapping)
    judge(
        folder,
        *(cohorts[name] for name in ("real", "holdout", "synthetic")),
        seed=seed,
        questions=questions,
        rules=rules or "",
        seeds=seeds,
    )
