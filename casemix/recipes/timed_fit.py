"""One fit and one sample of a method, timed in a process of its own and stopped over budget."""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from pathlib import Path

from casemix.core import linked, registry
from casemix.core.cohort import Cohort, Provenance
from casemix.core.conditions import Conditions
from casemix.core.files import atomic_json
from casemix.core.parallel import end_with
from casemix.core.samples import Samples
from casemix.core.seeding import child
from casemix.errors import CasemixError

_POLL = 0.05  # seconds


def fit_and_sample(
    draft: Path, train: Path, method: str, *, seed: int, tiny: bool, budget: float
) -> None:
    """Fit and sample in a process of its own, which is stopped when the fit is over budget.

    Args:
        draft: the folder to write: ``about.json`` with the status, seconds and memory, and where
            all went well the cohort ``synthetic``, one record per training record.
        train: the cohort folder to fit on.
        method: registry name of the generator.
        seed: seed of fit and sample.
        tiny: the method's own smallest settings.
        budget: most seconds of the fit.
    """
    context = multiprocessing.get_context("spawn")
    attempt = (os.getpid(), draft, train, method, seed, tiny)
    work = context.Process(target=_attempt, args=attempt)
    work.start()
    started = time.monotonic()
    try:
        while work.is_alive():
            work.join(_POLL)
            fitting = not (draft / "fitted.json").exists()
            if fitting and time.monotonic() - started > budget:
                work.kill()
                work.join()
                atomic_json(draft / "about.json", {"status": f"over {budget:g} s"})
                return
    finally:
        if work.is_alive():  # this process is being stopped
            work.kill()
    if not (draft / "about.json").exists():
        atomic_json(draft / "about.json", {"status": f"died with exit code {work.exitcode}"})


def _attempt(parent: int, draft: Path, data: Path, method: str, seed: int, tiny: bool) -> None:
    end_with(parent)
    try:
        _measured(draft, data, method, seed, tiny)
    except CasemixError as error:
        atomic_json(draft / "about.json", {"status": f"failed: {error}"})


def _measured(draft: Path, data: Path, method: str, seed: int, tiny: bool) -> None:
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
