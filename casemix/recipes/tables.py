"""Plain tables as cohorts: by a mapping, which is inferred where none is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from casemix.core.cohort import Cohort
from casemix.errors import RunError
from casemix.recipes.mapping import ImportReport, MappingSpec, import_cohort
from casemix.recipes.mapping.dialect import sniff
from casemix.recipes.mapping.files import FORMATS, read_table
from casemix.recipes.mapping.infer import Inferred, infer_mapping
from casemix.recipes.mapping.load import load_mapping, mapping_of
from casemix.recipes.mapping.parse import parse_yaml
from casemix.recipes.mapping.rows_of_subjects import NOBODY
from casemix.recipes.mapping.spec import TableSpec


@dataclass(frozen=True)
class Read:
    """What was read.

    Args:
        cohorts: by name.
        mapping: the YAML text that tables were read with; empty where all are cohort folders.
        notes: what was found out of range, unknown or left out, for a person.
        spec: the same mapping, parsed.
        reasons: column -> why it is read so, where the mapping was inferred.
    """

    cohorts: Mapping[str, Cohort]
    mapping: str = ""
    notes: Sequence[str] = ()
    spec: MappingSpec | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)


def read_cohorts(
    paths: Mapping[str, Path], *, mapping: Path | None = None, subject: str = ""
) -> Read:
    """Read cohort folders and plain tables.

    Args:
        paths: name -> a cohort folder, or a CSV or parquet table. Tables that are given together
            are read with one mapping.
        mapping: a mapping's YAML file whose only table stands for each of these tables; without
            it one is inferred from all of them together.
        subject: the column that names the subject, where the mapping is inferred; see
            `casemix.recipes.mapping.infer.infer_mapping`. It is guessed for one table only.

    Raises:
        RunError: another kind of file, or a mapping of several tables.
    """
    files = {name: path for name, path in paths.items() if not path.is_dir()}
    found = {name: Cohort.load(path) for name, path in paths.items() if name not in files}
    if not files:
        return Read(found)
    for path in files.values():
        _check_table(path)
    inferred = (
        Inferred(mapping.read_text(encoding="utf-8")) if mapping else _inferred(files, subject)
    )
    spec = load_mapping(mapping) if mapping else mapping_of(parse_yaml(inferred.text))
    if len(spec.tables) != 1:
        raise RunError("The mapping of a single table names one table.", given=list(spec.tables))
    notes: list[str] = []
    for name, path in files.items():
        prefix = f"{name}-" if len(files) > 1 else ""
        found[name], report = _imported(spec, path, prefix)
        notes += [f"{path.name}: {line}" for line in report.lines()]
    cohorts = {name: found[name] for name in paths}
    return Read(cohorts, inferred.text, notes, spec, inferred.reasons)


def raw_table(path: Path, spec: MappingSpec) -> pd.DataFrame:
    """Return the rows of the one table of a mapping as its file holds them, unfiltered."""
    (table,) = spec.tables.values()
    return read_table(path.parent, replace(table, file=path.name), "table")


def _check_table(path: Path) -> None:
    if not path.exists():
        raise RunError(
            f"There is no such file or folder: {path}.",
            allowed=f"a cohort folder, {', '.join(sorted(FORMATS))}",
            next_step="Give the path of a cohort folder or of a table.",
        )
    if path.suffix.lower() not in FORMATS or not path.is_file():
        raise RunError(
            f"{path} is not a cohort folder and not a table.",
            given=path.suffix or "no ending",
            allowed=["a cohort folder", *FORMATS],
        )


def _inferred(files: Mapping[str, Path], subject: str) -> Inferred:
    first = next(iter(files.values()))
    text = first.suffix.lower() in (".csv", ".tsv")
    written = sniff(first, "table") if text else TableSpec(first.name)
    frames = [read_table(p.parent, replace(written, file=p.name), "table") for p in files.values()]
    # Equal ids in several files need not be the same people, so none is guessed there.
    subject = subject or (NOBODY if len(frames) > 1 else "")
    whole = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    return infer_mapping(whole, file=first.name, subject=subject, written=written)


def _imported(spec: MappingSpec, path: Path, prefix: str) -> tuple[Cohort, ImportReport]:
    (name, table), *_ = spec.tables.items()
    about = replace(spec.about, name=path.stem)
    here = replace(spec, tables={name: replace(table, file=path.name)}, about=about)
    cohort, report = import_cohort(here, path.parent)
    if not prefix or spec.subjects.id != table.number_rows:
        return cohort, report
    subjects = cohort.subjects.set_axis(prefix + cohort.subjects.index, axis=0)
    samples = {
        m: replace(
            s,
            index=s.index.assign(subject_id=prefix + s.index["subject_id"]).set_axis(
                prefix + s.index.index, axis=0
            ),
        )
        for m, s in cohort.samples.items()
    }
    return replace(cohort, subjects=subjects, samples=samples), report
