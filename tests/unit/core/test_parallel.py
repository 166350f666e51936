from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

import pytest

from casemix.core.parallel import run_all
from casemix.core.progress import Progress
from casemix.errors import FitError


def note_process(name: str, progress: Progress) -> None:
    assert progress.checkpoints is not None
    with progress.step(name, 2) as bar:
        bar.advance(2)
    threads = os.environ.get("OMP_NUM_THREADS")
    (progress.checkpoints / name).write_text(f"{os.getpid()} {threads}")
    time.sleep(0.5)


def fail(progress: Progress) -> None:
    raise FitError("No luck.", given="bad data")


class Bar:
    def __init__(self) -> None:
        self.done: dict[int, int] = {}

    def add_task(self, description, *, total, completed, note):
        self.done[len(self.done)] = completed
        return len(self.done) - 1

    def update(self, task, *, advance, note):
        self.done[task] += advance

    def remove_task(self, task):
        pass


@pytest.mark.parametrize("workers", [1, 2])
def test_all_work_is_done_and_reported(tmp_path: Path, workers: int):
    bar = Bar()
    works = [partial(note_process, name) for name in ("a", "b")]
    run_all(works, workers=workers, progress=Progress(bar, tmp_path))
    processes = {(tmp_path / name).read_text().split()[0] for name in ("a", "b")}
    assert len(processes) == workers
    assert (str(os.getpid()) in processes) == (workers == 1)
    assert bar.done == {0: 2, 1: 2}
    if workers == 2:
        assert (tmp_path / "a").read_text().endswith(" 1")


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_comes_back_as_it_is(workers: int):
    with pytest.raises(FitError, match=r"No luck\. Given: bad data"):
        run_all([fail, fail], workers=workers, progress=Progress())
