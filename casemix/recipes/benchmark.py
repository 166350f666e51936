"""Methods of one modality side by side: the same splits, budget and seeds, one leaderboard."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from casemix import __version__
from casemix.core import linked, registry
from casemix.core.cohort import Cohort, Provenance
from casemix.core.conditions import Conditions
from casemix.core.files import atomic_json, atomic_text, read_json
from casemix.core.parallel import end_with
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.core.seeding import child
from casemix.errors import CasemixError, RunError, did_you_mean
from casemix.evaluation.repeats import over_seeds
from casemix.evaluation.statistics import Estimate
from casemix.recipes.phantom.cohort import phantom_cohort
from casemix.recipes.real_parts import only
from casemix.recipes.run_folder import RunFolder

#: What the leaderboard shows of each method; all scores are in ``results.csv``.
SHOWN = ("c2st_auc", "utility", "coverage", "nearest_record_ratio", "membership_auc")
_HEADINGS = {
    "c2st_auc": "C2ST",
    "utility": "TSTR",
    "coverage": "cover",
    "nearest_record_ratio": "nearest",
    "membership_auc": "member",
    "fit_seconds": "fit s",
    "sample_seconds": "draw s",
    "peak_mb": "MB",
}
_FORMATS = {"seeds": "d", "peak_mb": ".0f", "fit_seconds": ".1f", "sample_seconds": ".1f"}
_HOLDOUT = 0.34
_PHANTOM_SUBJECTS = 600
_POLL = 0.05  # seconds


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
        The leaderboard, see `leaderboard`.
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
    _table(rows).to_csv(out / "results.csv", index=False)
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
        _in_process(draft, split / "train", method, seed, plan)

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


def _in_process(draft: Path, train: Path, method: str, seed: int, plan: Plan) -> None:
    """Fit and sample in a process of its own, which is stopped when the fit is over budget."""
    context = multiprocessing.get_context("spawn")
    attempt = (os.getpid(), draft, train, method, seed, plan.tiny)
    work = context.Process(target=_attempt, args=attempt)
    work.start()
    started = time.monotonic()
    try:
        while work.is_alive():
            work.join(_POLL)
            fitting = not (draft / "fitted.json").exists()
            if fitting and time.monotonic() - started > plan.budget:
                work.kill()
                work.join()
                atomic_json(draft / "about.json", {"status": f"over {plan.budget:g} s"})
                return
    finally:
        if work.is_alive():  # this process is being stopped
            work.kill()
    if not (draft / "about.json").exists():
        atomic_json(draft / "about.json", {"status": f"died with exit code {work.exitcode}"})


def _attempt(parent: int, draft: Path, data: Path, method: str, seed: int, tiny: bool) -> None:
    end_with(parent)
    try:
        _fit_and_sample(draft, data, method, seed, tiny)
    except CasemixError as error:
        atomic_json(draft / "about.json", {"status": f"failed: {error}"})


def _fit_and_sample(draft: Path, data: Path, method: str, seed: int, tiny: bool) -> None:
    plugin = registry.load("generators", method)
    cohort = Cohort.load(data)
    given = cohort.conditions(plugin.modality)
    given = given.pick(f.name for f in given.schema if f.kind in plugin.honours)
    generator = plugin.tiny() if tiny else plugin()
    clock = (time.monotonic(), time.process_time())
    generator.fit(cohort[plugin.modality], given, seed=child(seed, "fit"))
    spent = {
        "fit_seconds": time.monotonic() - clock[0],
        "fit_cpu_seconds": time.process_time() - clock[1],
    }
    atomic_json(draft / "fitted.json", spent)
    started = time.monotonic()
    made = generator.generate(_renamed(given), seed=child(seed, "sample"))
    spent["sample_seconds"] = time.monotonic() - started
    spent["peak_mb"] = _peak_mb()
    _as_cohort(made, cohort).save(draft / "synthetic")
    atomic_json(draft / "about.json", {"status": "done", **spent})


def _renamed(given: Conditions) -> Conditions:
    """Return the training records' conditions under synthetic ids."""
    rows = given.rows.assign(subject_id=linked.PREFIX + given.rows["subject_id"])
    return Conditions(
        rows.set_axis(linked.PREFIX + given.rows.index, axis=0), given.schema, given.maps
    )


def _as_cohort(made: Samples, train: Cohort) -> Cohort:
    subjects = train.subjects.set_axis(linked.PREFIX + train.subjects.index, axis=0)
    return Cohort(subjects, train.schema, {made.modality: made}, Provenance.SYNTHETIC)


def _peak_mb() -> float:
    """Return this process's largest resident memory so far, MB."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would count what the parent held before this process started
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(lines["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return one line per method, seed and metric."""
    lines = []
    for row in rows:
        about = {k: v for k, v in row.items() if k not in ("metrics", "subjects")}
        for name, score in row.get("metrics", {"": {}}).items():
            low, high = score.get("interval") or (None, None)
            shown = {k: score.get(k) for k in ("value", "ceiling", "floor", "relative", "n")}
            lines.append({**about, "metric": name, **shown, "low": low, "high": high})
    return pd.DataFrame(lines)


def leaderboard(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one entry per method, hardest to tell from real first.

    Scores are means over the seeds; ``<score>_interval`` holds for subjects and seeds together,
    and is None with one seed or where the score has no interval.
    """
    found = []
    for method in sorted({row["method"] for row in rows}):
        own = [row for row in rows if row["method"] == method]
        done = [row for row in own if row["status"] == "done"]
        entry: dict[str, Any] = {"method": method, "seeds": len(done)}
        if len(done) < len(own):
            entry["status"] = next(row["status"] for row in own if row["status"] != "done")
        for name in SHOWN:
            found_scores = [row["metrics"].get(name, {}) for row in done]
            entry[name] = _mean([score.get("value") for score in found_scores])
            entry[f"{name}_interval"] = _over_seeds(found_scores)
        for name in ("fit_seconds", "sample_seconds", "peak_mb"):
            entry[name] = _mean([row[name] for row in done])
        found.append(entry)
    return sorted(found, key=lambda e: (e["c2st_auc"] is None, max(e["c2st_auc"] or 0, 0.5)))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None


def _over_seeds(scores: Sequence[dict[str, Any]]) -> list[float] | None:
    known = [s for s in scores if s.get("value") is not None and s.get("interval")]
    if len(known) < 2 or len({s["n"] for s in known}) > 1:
        return None
    estimates = [Estimate(s["value"], tuple(s["interval"]), s["n"]) for s in known]
    return list(over_seeds(estimates).interval)


def as_table(entries: Sequence[dict[str, Any]]) -> Table:
    """Return the leaderboard for a terminal."""
    title = "Means over the seeds; hardest to tell from real first"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    columns = ("seeds", *_HEADINGS)
    table.add_column("method", no_wrap=True)
    for name in columns:
        table.add_column(_HEADINGS.get(name, name), justify="right")
    for entry in entries:
        status = f" ({entry['status']})" if "status" in entry else ""
        cells = [
            f"{entry[c]:{_FORMATS.get(c, '.2f')}}" if entry[c] is not None else "-" for c in columns
        ]
        table.add_row(entry["method"].partition("/")[2] + status, *cells)
    return table


def as_json(entries: Sequence[dict[str, Any]]) -> str:
    """Return the leaderboard for a program."""
    return json.dumps(list(entries), indent=2)
