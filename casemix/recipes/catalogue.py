"""The recipes: a YAML of documented settings and a module of the same name each."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from casemix.core.progress import Progress
from casemix.errors import RunError, did_you_mean

_FOLDER = Path(__file__).parent
_FILES = ("mapping", "rules")  # settings that may name a file, whose content counts


@dataclass(frozen=True)
class Request:
    """What a user asked a recipe for.

    Args:
        out: the run folder.
        data: a cohort folder (or what else the recipe takes), or None for the phantom.
        n: how many synthetic subjects; None = the recipe's default.
        seed: seed of everything random.
        tiny: smallest real settings, to see the whole run in a minute.
        settings: the recipe's settings, complete.
    """

    out: Path
    data: Path | None
    n: int | None
    seed: int
    tiny: bool
    settings: Mapping[str, Any]

    def determinants(self, recipe: str) -> dict[str, Any]:
        """Return everything that determines the outputs, JSON-ready."""
        return {
            "recipe": recipe,
            "data": None if self.data is None else str(self.data.resolve()),
            "n": self.n,
            "seed": self.seed,
            "tiny": self.tiny,
            "settings": dict(self.settings),
            "files": {
                name: Path(self.settings[name]).read_text(encoding="utf-8")
                for name in _FILES
                if self.settings.get(name) and Path(self.settings[name]).is_file()
            },
        }


def names() -> list[str]:
    """Return the recipes' names."""
    return sorted(p.stem.replace("_", "-") for p in _FOLDER.glob("*.yaml"))


def describe(name: str) -> dict[str, Any]:
    """Return a recipe's YAML: ``summary``, ``data`` and ``settings``.

    Raises:
        RunError: an unknown recipe.
    """
    if name not in names():
        raise RunError(
            f"Unknown recipe '{name}'.", allowed=names(), next_step=did_you_mean(name, names())
        )
    path = _FOLDER / f"{name.replace('-', '_')}.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def settings(name: str, changes: Sequence[str] = ()) -> dict[str, Any]:
    """Return a recipe's settings with ``key=value`` changes; keys may be dotted.

    Values are read as YAML: ``n=3`` is a number, ``order=[tabular, text]`` a list.

    Raises:
        RunError: a change without ``=``, an unknown key, or a value of another type.
    """
    chosen = describe(name)["settings"]
    for change in changes:
        key, sep, text = change.partition("=")
        if not sep:
            raise RunError("A setting is changed with key=value.", given=change)
        _assign(chosen, key.strip(), yaml.safe_load(text))
    return chosen


def runner(name: str) -> Callable[[Request, Progress], None]:
    """Import a recipe's module and return its ``run``."""
    return importlib.import_module(f"casemix.recipes.{name.replace('-', '_')}").run


def _assign(chosen: dict[str, Any], key: str, value: Any) -> None:
    head, *rest = key.split(".")
    if head not in chosen:
        raise RunError(
            f"Unknown setting '{key}'.", allowed=list(chosen), next_step=did_you_mean(head, chosen)
        )
    if rest and not isinstance(chosen[head], dict):
        raise RunError(f"The setting '{head}' has no parts.", given=key)
    if rest:  # options.imaging.steps=400: free-form, checked by the method's Config
        inner = chosen[head]
        for part in rest[:-1]:
            inner = inner.setdefault(part, {})
        inner[rest[-1]] = value
        return
    present = chosen[head]
    same = isinstance(value, type(present)) or (
        isinstance(present, float) and isinstance(value, int)
    )
    if present is not None and not same:
        raise RunError(
            f"The setting '{head}' has another type.",
            given=repr(value),
            allowed=f"{type(present).__name__}, such as {present!r}",
        )
    chosen[head] = value
