"""Any cohort in; how strongly its modalities belong to the same patients out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from casemix.core.cohort import Cohort
from casemix.core.files import read_json
from casemix.core.progress import Progress
from casemix.core.seeding import child
from casemix.evaluation.arms import Questions
from casemix.evaluation.report.labels import interval, number
from casemix.recipes.catalogue import Request
from casemix.recipes.judge import judge
from casemix.recipes.real_parts import real_parts
from casemix.recipes.run_folder import RunFolder


def run(request: Request, progress: Progress) -> None:
    """Measure linkage; see ``consistency.yaml`` for the settings.

    Without a synthetic cohort the critics are fitted on one part of the subjects, and the other
    part is halved: one half takes the synthetic place, so that link should be about 1.
    """
    console = Console(stderr=True)
    about = request.determinants("consistency")
    folder = RunFolder.open(request.out, about, console=console, progress=progress)
    train, holdout = real_parts(request, folder)
    if request.settings["synthetic"]:
        synthetic = Cohort.load(Path(request.settings["synthetic"]))
    else:
        halves = holdout.split({"left": 0.5, "right": 0.5}, seed=child(request.seed, "halves"))
        holdout, synthetic = halves["left"], halves["right"]
    judge(
        folder,
        train,
        holdout,
        synthetic,
        seed=child(request.seed, "evaluate"),
        questions=Questions(links_only=True),
    )
    folder.finish()
    for line in _told(read_json(request.out / "metrics.json")):
        console.print(line)
    console.print(f"\nMatrix picture: {request.out / 'report.html'}#linkage")


def _told(metrics: Mapping[str, Any]) -> Iterator[Table | str]:
    """Yield the pairs with their links, and the patients who contradict themselves most."""
    table = Table("pair", "link", "patient link", "shuffled", title="Linkage [95 % interval]")
    for pair in metrics["linkage"]["pairs"]:
        cells = (pair["link"], pair.get("patient_link"), pair["control"]["shuffled"].get("link"))
        table.add_row(f"{pair['a']} and {pair['b']}", *(_cell(score) for score in cells))
    yield table
    worst = metrics["contradictions"]["worst"]
    yield (
        "\nPatients who contradict themselves most:"
        if worst
        else "\nNo patient contradicts their own record."
    )
    for patient in worst:
        yield escape(f"  {patient['subject_id']}: {'; '.join(patient['breaks'])}")


def _cell(score: Mapping[str, Any] | None) -> str:
    if score is None:
        return "does not apply"
    if score["value"] is None:
        return "undefined"
    return escape(f"{number(score['value'], 2)} {interval(score['interval'], 2)}".strip())
