"""The folder of one run: finished stages stay, so a killed run goes on where it stopped."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from casemix.core.files import atomic_json, read_json
from casemix.core.progress import Progress
from casemix.errors import RunError

_ABOUT = "run.json"


@dataclass(frozen=True)
class RunFolder:
    """A run's outputs, made one stage at a time.

    Args:
        path: the folder.
        console: where each stage is announced.
        progress: bars of long work.
    """

    path: Path
    console: Console
    progress: Progress

    @classmethod
    def open(
        cls, path: Path, about: Mapping[str, Any], *, console: Console, progress: Progress
    ) -> RunFolder:
        """Start a run in a new folder, or go on with the same run in an old one.

        Args:
            path: the folder.
            about: everything that determines the outputs: recipe, data, settings, seed.
            console: where each stage is announced.
            progress: bars of long work.

        Raises:
            RunError: the folder holds another run, or something else.
        """
        about = json.loads(json.dumps(about))
        if path.exists() and any(path.iterdir()):
            if not (path / _ABOUT).is_file():
                raise RunError(
                    f"{path} is not empty and not a run of casemix.",
                    next_step="Choose another folder with --out.",
                )
            earlier = read_json(path / _ABOUT)
            if earlier != about:
                raise RunError(
                    f"{path} holds a run with other settings.",
                    given=_changes(earlier, about),
                    next_step="Choose another folder with --out, or remove this one.",
                )
        path.mkdir(parents=True, exist_ok=True)
        atomic_json(path / _ABOUT, about)
        return cls(path, console, progress)

    def once(self, name: str, title: str, make: Callable[[Path], None]) -> Path:
        """Make one file or folder unless an earlier try of this run has made it.

        Args:
            name: its path below the run folder.
            title: what is being done, for a person.
            make: writes the output to the draft path that it is given; the draft becomes the
                output only when ``make`` returns.
        """
        target = self.path / name
        if target.exists():
            self.console.print(f"[green]✓[/] {title} [dim](done before)[/]")
            return target
        draft = self.path / f".{name}.draft"
        _remove(draft)
        started = time.monotonic()
        self.console.print(f"[blue]…[/] {title}")
        try:
            make(draft)
            os.replace(draft, target)
        finally:
            _remove(draft)
        seconds = time.monotonic() - started
        self.console.print(f"[green]✓[/] {title} [dim]({seconds:.0f} s)[/]")
        return target

    def checkpoints(self, name: str) -> Progress:
        """Return progress whose checkpoints live in this run until `finish`."""
        return Progress(self.progress.bar, self.path / ".checkpoints" / name)

    def finish(self) -> None:
        """Remove what only a resume would need."""
        _remove(self.path / ".checkpoints")


def _changes(earlier: Mapping[str, Any], about: Mapping[str, Any]) -> list[str]:
    """Return what differs, setting by setting, in words."""
    there, here = (
        {k: v for k, v in of.items() if k != "settings"}
        | {f"settings.{k}": v for k, v in of.get("settings", {}).items()}
        for of in (earlier, about)
    )
    changed = sorted(k for k in {*there, *here} if there.get(k) != here.get(k))
    return [f"{k}: {here.get(k)} (there: {there.get(k)})" for k in changed]


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
