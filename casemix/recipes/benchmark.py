"""Methods of one modality side by side: the same splits, budget and seeds, one leaderboard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from casemix import __version__
from casemix.core import registry
from casemix.core.cohort import Cohort
from casemix.core.files import atomic_json, atomic_text, read_json
from casemix.core.progress import Progress
from casemix.core.seeding import child
from casemix.errors import RunError, did_you_mean
from casemix.recipes.leaderboard import every_score, leaderboard
from casemix.recipes.phantom.cohort import phantom_cohort
from casemix.recipes.real_parts import only
from casemix.recipes.run_folder import RunFolder
from casemix.recipes.timed_fit import fit_and_sample

_HOLDOUT = 0.34
_PHANTOM_SUBJECTS = 600


@dataclass(frozen=True)
class Plan:
    """What is to be compared.

    Args:
        modality: whose methods.
        data: a cohort folder, or None for the phantom.
        methods: registry names; empty = all methods of the modality and the `marginals` control.
        budget: most seconds of one fit; a method that needs more is stopped, and listed so.
        seeds: number of splits and fits of each method.
        seed: the first seed.
        tiny: each method with its own smallest settings, and a small phantom.
    """

    modality: str
    data: Path | None
    methods: tuple[str, ...] = ()
    budget: float = 600.0
    seeds: int = 3
    seed: int = 0
    tiny: bool = False

    def chosen(self) -> tuple[str, ...]:
        """Return the methods to compare.

        Raises:
            RunError: an unknown modality, or a method of another one.
        """
        if self.modality not in registry.modalities():
            raise RunError(
                f"Unknown modality '{self.modality}'.",
                allowed=registry.modalities(),
                next_step=did_you_mean(self.modality, registry.modalities()),
            )
        own = [n for n in registry.names("generators") if n.startswith(f"{self.modality}/")]
        for name in self.methods:
            if name not in own:
                raise RunError(
                    f"'{name}' is not a method of {self.modality}.",
                    allowed=own,
                    next_step=did_you_mean(name, own),
                )
        floor = f"{self.modality}/marginals"
        return self.methods or tuple(
            n for n in own if n == floor or not registry.load("generators", n).control
        )

    def determinants(self) -> dict[str, Any]:
        """Return what all rows of one table share; methods and seeds may be added later."""
        return {
            "recipe": "benchmark",
            "modality": self.modality,
            "data": None if self.data is None else str(self.data.resolve()),
            "budget": self.budget,
            "tiny": self.tiny,
        }


def benchmark(plan: Plan, out: Path, *, console: Console, progress: Progress) -> list[dict]:
    """Fit and judge every method with every seed; write the table and the page.

    Rows that an earlier call has made in ``out`` are kept, so that the same command goes on after
    a stop, and another one adds methods or seeds.

    Args:
        plan: what to compare.
        out: the folder; it gets ``results.csv``, ``benchmark.html`` and the synthetic cohorts.
        console: where stages and the leaderboard are printed.
        progress: bars.

    Returns:
        The leaderboard, see `casemix.recipes.leaderboard.leaderboard`.
    """
    methods = plan.chosen()
    folder = RunFolder.open(out, plan.determinants(), console=console, progress=progress)
    with progress.step("benchmark", len(methods) * plan.seeds) as bar:
        for seed in range(plan.seed, plan.seed + plan.seeds):
            split = folder.once(f"real-{seed}", f"split with seed {seed}", _Split(plan, seed))
            for method in methods:
                bar.advance(0, note=f"{method}, seed {seed}")
                _row(folder, split, method, seed, plan)
                bar.advance()
    rows = [read_json(p) for p in sorted(out.glob("row-*.json"))]
    every_score(rows).to_csv(out / "results.csv", index=False)
    from casemix.evaluation.report.benchmark_page import benchmark_page

    provenance = Cohort.load(out / f"real-{plan.seed}" / "train").provenance
    entries = leaderboard(rows)
    page = benchmark_page(entries, rows, plan.determinants(), provenance)
    atomic_text(out / "benchmark.html", page)
    return entries


@dataclass(frozen=True)
class _Split:
    plan: Plan
    seed: int

    def __call__(self, draft: Path) -> None:
        n = 120 if self.plan.tiny else _PHANTOM_SUBJECTS
        data = self.plan.data
        cohort = phantom_cohort(n, seed=0) if data is None else Cohort.load(data)
        cohort = only(cohort, [self.plan.modality])
        fractions = {"train": 1 - _HOLDOUT, "holdout": _HOLDOUT}
        for name, part in cohort.split(fractions, seed=child(self.seed, "split")).items():
            part.save(draft / name)


def _row(folder: RunFolder, split: Path, method: str, seed: int, plan: Plan) -> None:
    """Make one method's synthetic records and their scores, unless they are there."""
    name = f"{method.replace('/', '-')}-{seed}"

    def make(draft: Path) -> None:
        draft.mkdir()
        train = split / "train"
        fit_and_sample(draft, train, method, seed=seed, tiny=plan.tiny, budget=plan.budget)

    def score(draft: Path) -> None:
        from casemix.evaluation.protocol import evaluate

        about = read_json(made / "about.json")
        row = {"casemix": __version__, "method": method, "seed": seed, **about}
        if about["status"] == "done":
            parts = (split / "train", split / "holdout", made / "synthetic")
            train, holdout, synthetic = (Cohort.load(part) for part in parts)
            result = evaluate(train, holdout, synthetic, seed=child(seed, "evaluate"))
            row["metrics"] = result["modalities"][plan.modality]["metrics"]
            row["subjects"] = result["protocol"]["subjects"]
        atomic_json(draft, row)

    made = folder.once(f"made-{name}", f"fit and sample {method}, seed {seed}", make)
    folder.once(f"row-{name}.json", f"judge {method}, seed {seed}", score)
