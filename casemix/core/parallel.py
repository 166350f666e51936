"""Independent pieces of work in several processes, with their progress on one screen."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from casemix.core.progress import Progress

T = TypeVar("T")
#: Picklable work; it gets a progress with the checkpoint folder of the call.
Work = Callable[[Progress], T]
_LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run_all(works: Sequence[Work[T]], *, workers: int, progress: Progress) -> list[T]:
    """Do all pieces of work and return what each returns, in order.

    With several workers each piece runs in a process of its own with one thread: small networks
    train faster in two processes than with two threads. The first error ends the call. Processes
    end when this one does, even if it is killed.

    Args:
        works: picklable functions of a `Progress`.
        workers: processes at a time; 1 = all here, one after the other.
        progress: bars, and the checkpoint folder that each piece is given.
    """
    if workers <= 1 or len(works) <= 1:
        return [work(progress) for work in works]
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    with context.Manager() as manager, _one_thread_each():
        messages = manager.Queue()
        listener = threading.Thread(target=_listen, args=(messages, progress), daemon=True)
        listener.start()
        try:
            start = (os.getpid(), stop)
            with ProcessPoolExecutor(
                workers, context, initializer=end_with, initargs=start
            ) as pool:
                return _wait(pool, works, messages, progress.checkpoints, stop)
        finally:
            messages.put(None)
            listener.join()


def _wait(
    pool: ProcessPoolExecutor,
    works: Sequence[Work[T]],
    messages: Any,
    checkpoints: Path | None,
    stop: Any,
) -> list[T]:
    futures = [pool.submit(_do, work, messages, checkpoints) for work in works]
    try:
        for future in as_completed(futures):
            future.result()  # the first error, whoever's it is
        return [future.result() for future in futures]
    except BaseException:
        stop.set()  # ends the workers now; the pool alone would wait for what they are doing
        raise


class _Relay:
    """Stands in for a bar in a worker: sends what it is told to the parent's screen."""

    def __init__(self, messages: Any) -> None:
        self.messages = messages
        self.count = 0
        self.sent: dict[tuple[int, int], float] = {}
        self.waiting: dict[tuple[int, int], int] = {}

    def add_task(
        self, description: str, *, total: int, completed: int, note: str
    ) -> tuple[int, int]:
        self.count += 1
        task = (os.getpid(), self.count)
        self.messages.put(("add", task, description, total, completed))
        return task

    def update(self, task: tuple[int, int], *, advance: int, note: str) -> None:
        self.waiting[task] = self.waiting.get(task, 0) + advance
        if time.monotonic() - self.sent.get(task, 0.0) > 0.2:
            self._flush(task, note)

    def remove_task(self, task: tuple[int, int]) -> None:
        self._flush(task, "")
        self.messages.put(("remove", task))

    def _flush(self, task: tuple[int, int], note: str) -> None:
        self.messages.put(("update", task, self.waiting.pop(task, 0), note))
        self.sent[task] = time.monotonic()


def _listen(messages: Any, progress: Progress) -> None:
    """Show on the parent's bar what the workers send, until None comes."""
    tasks: dict[tuple[int, int], Any] = {}
    while (message := messages.get()) is not None:
        if progress.bar is None:
            continue
        what, task, *rest = message
        if what == "add":
            description, total, completed = rest
            tasks[task] = progress.bar.add_task(
                description, total=total, completed=completed, note=""
            )
        elif what == "update":
            progress.bar.update(tasks[task], advance=rest[0], note=rest[1])
        else:
            progress.bar.remove_task(tasks.pop(task))


def _do(work: Work[T], messages: Any, checkpoints: Path | None) -> T:
    return work(Progress(_Relay(messages), checkpoints))  # type: ignore[arg-type]  # the same three calls


def end_with(parent: int, stop: Any = None) -> None:
    """End this process as soon as its parent is gone: no writer is left behind.

    Args:
        parent: the process to live with.
        stop: an event that ends it too.
    """
    told = stop or threading.Event()

    def watch() -> None:
        while os.getppid() == parent and not told.wait(0.3):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let the workers, which inherit the environment, use one thread per process."""
    before = {name: os.environ.get(name) for name in _LIBRARIES}
    os.environ.update(dict.fromkeys(_LIBRARIES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
