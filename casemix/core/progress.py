"""Where long work reports to, and where it keeps what it has done so far."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


@dataclass
class Step:
    """One counted piece of work; `advance` moves its bar."""

    bar: RichProgress | None = None
    task: TaskID | None = None

    def advance(self, count: int = 1, note: str = "") -> None:
        """Report ``count`` more units done, with a short note such as ``loss 0.12``."""
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, advance=count, note=note)


@dataclass(frozen=True)
class Progress:
    """Progress bars with time left, and a folder for checkpoints; both optional.

    Args:
        bar: a running `rich.progress.Progress` with a ``note`` column (see `terminal`), or None.
        checkpoints: a folder that belongs to this piece of work alone; work that is started
            again with the same folder goes on where it stopped.
    """

    bar: RichProgress | None = None
    checkpoints: Path | None = None

    def within(self, name: str) -> Progress:
        """Return the progress of a named part, with a checkpoint folder of its own."""
        return Progress(self.bar, None if self.checkpoints is None else self.checkpoints / name)

    @contextmanager
    def step(self, description: str, total: int, done: int = 0) -> Iterator[Step]:
        """Show one bar while the block runs; it goes when the block ends.

        Args:
            description: what is being done, for a person.
            total: how many units there are.
            done: how many were done in an earlier run.
        """
        if self.bar is None:
            yield Step()
            return
        task = self.bar.add_task(description, total=total, completed=done, note="")
        try:
            yield Step(self.bar, task)
        finally:
            self.bar.remove_task(task)


@contextmanager
def terminal() -> Iterator[Progress]:
    """Show progress on the terminal (standard error): bar, count, time left, note."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as bar:
        yield Progress(bar)
