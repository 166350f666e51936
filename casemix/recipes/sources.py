"""Whatever a cohort can be read from: a mapping, a format, or a folder of linked tables."""

from __future__ import annotations

from pathlib import Path

import yaml

from casemix.core.cohort import Cohort
from casemix.core.files import atomic_text
from casemix.errors import MappingError, did_you_mean
from casemix.recipes import formats
from casemix.recipes.linked_tables import infer_keys, load_keys, read_tables
from casemix.recipes.mapping import import_cohort
from casemix.recipes.mapping.load import shipped as shipped_mappings

#: What reads a folder of linked tables whose keys are inferred.
LINKED = "linked-tables"
_KEYS = Path(__file__).parents[1] / "modalities" / "relational" / "examples"
_INFERRED = (
    "The keys were inferred. To correct them, edit {path}, keep it elsewhere, and read with it "
    "(docs/linked-tables.md)."
)


def shipped_keys() -> list[str]:
    """Return the names of the shipped keys of linked tables."""
    return sorted(p.stem for p in _KEYS.glob("*.yaml"))


def read_source(source: str, root: Path, *, keys_to: Path) -> tuple[Cohort, list[str]]:
    """Read a folder, and return the cohort with notes on what was left out.

    Args:
        source: the name of a format, of a shipped mapping or of shipped keys; a YAML file of a
            mapping or of keys; or `LINKED`, for linked tables whose keys are inferred.
        root: the folder.
        keys_to: where inferred keys are written.

    Raises:
        MappingError: an unknown source.
        CasemixError: what the reader says.
    """
    if source in formats.names():
        return formats.read(source, root)
    if source == LINKED:
        atomic_text(keys_to, infer_keys(root))
        cohort, notes = read_linked(str(keys_to), root)
        return cohort, [*notes, _INFERRED.format(path=keys_to)]
    if source in shipped_keys() or _holds_keys(Path(source)):
        return read_linked(source, root)
    if not source.endswith((".yaml", ".yml")) and source not in shipped_mappings():
        known = [*formats.names(), LINKED, *shipped_mappings(), *shipped_keys()]
        raise MappingError(
            f"There is no mapping, format or keys called '{source}'.",
            allowed=[*known, "the path of a .yaml file"],
            next_step=did_you_mean(source, known),
        )
    cohort, report = import_cohort(source, root)
    return cohort, list(report.lines())


def read_linked(keys: str, root: Path) -> tuple[Cohort, list[str]]:
    """Read a folder of linked tables by keys: a YAML file, or the name of shipped ones."""
    read = read_tables(root, load_keys(keys))
    return read.cohort, list(read.notes)


def _holds_keys(path: Path) -> bool:
    """Return whether a YAML file describes keys: a mapping says ``subjects`` and ``samples``."""
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        return False
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return False
    return isinstance(content, dict) and "subject" in content
