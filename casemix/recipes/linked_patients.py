"""Linked synthetic patients: split, fit the chain, sample, evaluate, report."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from casemix.core.cohort import Cohort
from casemix.core.linked import LinkedModel
from casemix.core.progress import Progress
from casemix.core.seeding import child
from casemix.recipes import judge
from casemix.recipes.catalogue import Request
from casemix.recipes.chain import linked_model
from casemix.recipes.phantom.cohort import phantom_cohort
from casemix.recipes.run_folder import RunFolder

_TINY_SUBJECTS = 90
_TINY_PATIENTS = 24


def run(request: Request, progress: Progress) -> None:
    """Make linked patients and judge them; see ``linked_patients.yaml`` for the settings."""
    console = Console(stderr=True)
    about = request.determinants("linked-patients")
    folder = RunFolder.open(request.out, about, console=console, progress=progress)
    real = folder.once("real", "split the real subjects", lambda p: _split(request, p))
    train, holdout = Cohort.load(real / "train"), Cohort.load(real / "holdout")
    model = folder.once("model", "fit the chain", lambda p: _fit(request, folder, train, p))
    syn = folder.once(
        "synthetic", "sample patients", lambda p: _sample(request, model, progress, p)
    )
    chain = LinkedModel.load(model, trust=True)
    judge.judge(
        folder,
        train,
        holdout,
        Cohort.load(syn),
        seed=child(request.seed, "evaluate"),
        target=request.settings["target"],
        chain={m: list(r) for m, r in chain.linked.items()},
    )
    folder.finish()
    console.print(f"\nReport:         {request.out / 'report.html'}")
    console.print(f"Patient viewer: {request.out / 'patients.html'}")
    console.print(f"Cohort:         {request.out / 'synthetic'} [dim](synthetic)[/]")


def _split(request: Request, draft: Path) -> None:
    if request.data is None:
        n = _TINY_SUBJECTS if request.tiny else request.settings["phantom_subjects"]
        cohort = phantom_cohort(n, seed=child(request.seed, "phantom"))
    else:
        cohort = Cohort.load(request.data)
    share = request.settings["holdout"]
    parts = cohort.split({"train": 1 - share, "holdout": share}, seed=child(request.seed, "split"))
    for name, part in parts.items():
        part.save(draft / name)


def _fit(request: Request, folder: RunFolder, train: Cohort, draft: Path) -> None:
    chain = linked_model(request.settings, train, tiny=request.tiny)
    chain.fit(train, seed=child(request.seed, "fit"), progress=folder.checkpoints("fit"))
    chain.save(draft)


def _sample(request: Request, model: Path, progress: Progress, draft: Path) -> None:
    n = request.n or (_TINY_PATIENTS if request.tiny else request.settings["n"])
    chain = LinkedModel.load(model, trust=True)  # made by this run
    chain.sample(n, seed=child(request.seed, "sample"), progress=progress).save(draft)
