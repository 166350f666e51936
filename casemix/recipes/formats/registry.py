"""The formats by name: how each reads a folder into a cohort, and writes a cohort into a folder."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from casemix.errors import RunError, did_you_mean

if TYPE_CHECKING:
    from casemix.core.cohort import Cohort


@dataclass(frozen=True)
class Format:
    """One format.

    Args:
        summary: one line.
        module: where its reader and writer are; imported when they are used.
        reader: the function (folder) -> cohort and notes.
        writer: the function (cohort, folder) -> notes.
    """

    summary: str
    module: str
    reader: str = "read"
    writer: str = "write"


FORMATS: Mapping[str, Format] = {
    "csv": Format(
        "a folder of CSV tables: subjects, samples, events, series, linked tables, notes",
        "casemix.recipes.formats.tables",
        writer="write_csv",
    ),
    "meds": Format(
        "Medical Event Data Standard: event streams in parquet shards",
        "casemix.recipes.formats.meds",
    ),
    "omop": Format(
        "OMOP Common Data Model 5.4, one CSV file per table", "casemix.recipes.formats.omop"
    ),
    "parquet": Format(
        "a folder of parquet tables, as csv",
        "casemix.recipes.formats.tables",
        writer="write_parquet",
    ),
}


def names() -> list[str]:
    """Return the names of the formats."""
    return sorted(FORMATS)


def read(name: str, root: Path) -> tuple[Cohort, list[str]]:
    """Read a folder of a format.

    Returns:
        The cohort, and notes on what was left out.

    Raises:
        RunError: an unknown format, or no such folder.
        CasemixError: a missing, damaged or foreign file.
    """
    root = Path(root)
    reader = _function(name, "reader")
    if not root.is_dir():
        raise RunError(f"There is no folder {root}.", next_step="Check --root.")
    cohort, notes = reader(root)
    return cohort, list(notes)


def write(name: str, cohort: Cohort, out: Path) -> list[str]:
    """Write a cohort as a format; the folder appears whole or not at all.

    Returns:
        Notes on what was left out.

    Raises:
        RunError: an unknown format, or the folder exists.
        CasemixError: a cohort that the format cannot hold.
    """
    out = Path(out)
    writer = _function(name, "writer")
    if out.exists():
        raise RunError(f"{out} exists already.", next_step="Choose another folder, or remove it.")
    return list(writer(cohort, out))


def _function(name: str, which: str) -> Callable[..., Any]:
    if name not in FORMATS:
        raise RunError(
            f"Unknown format '{name}'.", allowed=names(), next_step=did_you_mean(name, names())
        )
    module = importlib.import_module(FORMATS[name].module)
    function: Callable[..., Any] = getattr(module, getattr(FORMATS[name], which))
    return function
