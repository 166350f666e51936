"""A table in; a synthetic table and a report on it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from casemix.core import registry
from casemix.core.cohort import Cohort
from casemix.core.fields import Field, Kind, Schema
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.errors import RunError
from casemix.recipes.catalogue import Request
from casemix.recipes.chain import make_patients

_MOST_LEVELS = 50  # text columns with more are identifiers or free text, and are left out
_FEW_NUMBERS = 3  # number columns with at most this many values are codes


def run(request: Request, progress: Progress) -> None:
    """Make a synthetic table; see ``ehr_tables.yaml`` for the settings."""
    chain = {"order": ["tabular"], "tabular": request.settings["method"], "embedding_size": 8}
    whole = replace(request, settings={**request.settings, **chain})
    folder, synthetic = make_patients("ehr-tables", whole, progress, read=read_table_or_cohort)
    folder.once("synthetic.csv", "write the table", lambda p: _flat(synthetic).to_csv(p))


def read_table_or_cohort(path: Path) -> Cohort:
    """Read a cohort folder, or a CSV or parquet file with one row per subject.

    Raises:
        RunError: another kind of file, or a table without usable columns.
    """
    if path.is_dir():
        return Cohort.load(path)
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {
        ".csv": pd.read_csv,
        ".parquet": pd.read_parquet,
    }
    if path.suffix not in readers:
        raise RunError(f"{path} is not a table.", given=path.suffix, allowed=sorted(readers))
    return table_cohort(readers[path.suffix](path), name=path.stem)


def table_cohort(frame: pd.DataFrame, *, name: str) -> Cohort:
    """Return a table as a cohort of one tabular record per subject, kinds inferred.

    Numbers become numeric fields, texts of at most 50 levels categorical ones, two values binary
    ones; columns of identifiers, free text or nothing are left out, and named in ``about``.

    Raises:
        RunError: no row, or no usable column.
    """
    fields = {str(c): infer_field(str(c), frame[c]) for c in frame.columns}
    schema = Schema(tuple(f for f in fields.values() if f is not None))
    if frame.empty or not len(schema):
        raise RunError(
            "The table has no usable column.",
            given=f"{len(frame)} rows; columns {', '.join(map(str, frame.columns))}",
            next_step="Write a mapping instead: casemix import --help",
        )
    ids = pd.Index([f"row-{i:07d}" for i in range(len(frame))], dtype=object)
    named = frame.rename(columns=str)[list(schema.names)].set_axis(ids, axis=0)
    payload = registry.payload_type("tabular")(schema.coerce(named), schema)
    index = pd.DataFrame({"subject_id": ids, "time": 0.0}, index=ids + ".row")
    left_out = ", ".join(c for c, f in fields.items() if f is None) or "none"
    about = {"name": name, "columns left out (identifiers, free text, empty)": left_out}
    subjects = pd.DataFrame(index=ids)
    return Cohort(subjects, Schema(), {"tabular": Samples("tabular", index, payload)}, about=about)


def infer_field(name: str, column: pd.Series) -> Field | None:
    """Return what a column seems to be, or None where it cannot be learnt from."""
    known = column.dropna()
    values = known.unique()
    if len(values) == 0:
        return None
    number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if number and len(values) > _FEW_NUMBERS:
        whole = pd.api.types.is_integer_dtype(column) and len(values) == len(column) > _MOST_LEVELS
        bounds = (float(known.min()), float(known.max()))
        return None if whole else Field(name, Kind.NUMERIC, range=bounds)
    if len(values) > _MOST_LEVELS:
        return None
    whole_numbers = number and all(float(v).is_integer() for v in values)
    named = [int(v) for v in values] if whole_numbers else list(values)
    levels = tuple(str(v) for v in sorted(named, key=lambda v: (str(type(v)), v)))
    kind = Kind.BINARY if len(levels) == 2 else Kind.CATEGORICAL
    return Field(name, kind, levels=levels)


def _flat(cohort: Cohort) -> pd.DataFrame:
    """Return context and table side by side, one row per record."""
    samples = cohort["tabular"]
    context = cohort.subjects.reindex(samples.subject_ids).set_axis(samples.index.index, axis=0)
    own = [c for c in context if c not in samples.payload.frame]
    frame = samples.payload.frame.set_axis(samples.index.index, axis=0)
    return pd.concat([samples.index[["subject_id"]], context[own], frame], axis=1)
