"""Any cohort in; how strongly its modalities belong to the same patients out."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from casemix.core.cohort import Cohort
from casemix.core.progress import Progress
from casemix.core.seeding import child
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
    judge(folder, train, holdout, synthetic, seed=child(request.seed, "evaluate"), links_only=True)
    folder.finish()
    console.print(f"\nReport:         {request.out / 'report.html'}")
