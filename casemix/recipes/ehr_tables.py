"""A table in; a synthetic table and a report on it out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
from rich.console import Console

from casemix.core.cohort import Cohort
from casemix.core.files import atomic_text
from casemix.core.progress import Progress
from casemix.recipes.catalogue import Request
from casemix.recipes.chain import make_patients
from casemix.recipes.tables import read_cohorts


def run(request: Request, progress: Progress) -> None:
    """Make a synthetic table; see ``ehr_tables.yaml`` for the settings."""
    chain = {"order": ["tabular"], "tabular": request.settings["method"], "embedding_size": 8}
    whole = replace(request, settings={**request.settings, **chain})

    def read(path: Path) -> Cohort:
        return read_one(path, request, Console(stderr=True))

    folder, synthetic = make_patients("ehr-tables", whole, progress, read=read)
    folder.once("synthetic.csv", "write the table", lambda p: _flat(synthetic).to_csv(p))


def read_one(path: Path, request: Request, console: Console) -> Cohort:
    """Read a cohort folder, or a table by the mapping of the settings or by an inferred one.

    The mapping is kept in the run folder as ``mapping.yaml``, to be corrected and given back.
    """
    given = request.settings["mapping"]
    mapping = Path(given) if given else None
    read = read_cohorts({"data": path}, mapping=mapping, subject=request.settings["subject"])
    if read.mapping:
        kept = request.out / "mapping.yaml"
        atomic_text(kept, read.mapping)
        for line in read.notes:
            console.print(line, markup=False)
        cohort = read.cohorts["data"]
        for f in cohort["tabular"].payload.schema:
            values = (
                f"{f.range[0]:g} to {f.range[1]:g} {f.unit}" if f.range else ", ".join(f.levels)
            )
            console.print(f"  {f.name}: {f.kind}, {values[:70]}", markup=False)
        if mapping is None:
            console.print(
                f"These kinds were inferred. To correct them, edit {kept}, keep it elsewhere, and "
                "run again with --set mapping=FILE and another --out.",
                markup=False,
            )
    return read.cohorts["data"]


def _flat(cohort: Cohort) -> pd.DataFrame:
    """Return context and table side by side, one row per record."""
    samples = cohort["tabular"]
    context = cohort.subjects.reindex(samples.subject_ids).set_axis(samples.index.index, axis=0)
    own = [c for c in context if c not in samples.payload.frame]
    frame = samples.payload.frame.set_axis(samples.index.index, axis=0)
    return pd.concat([samples.index[["subject_id"]], context[own], frame], axis=1)
