"""A table in; a synthetic table and a report on it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table as Shown

from casemix.core.cohort import Cohort
from casemix.core.files import atomic_json, atomic_text, read_json
from casemix.core.progress import Progress
from casemix.core.seeding import child
from casemix.errors import RunError
from casemix.recipes.catalogue import Request
from casemix.recipes.chain import make_patients
from casemix.recipes.mapping import MappingSpec
from casemix.recipes.mapping.fields import FieldSpec
from casemix.recipes.mapping.layout import Column, from_json, plan, to_json
from casemix.recipes.mapping.spec import TabularRecords
from casemix.recipes.mapping.write_back import flat, written
from casemix.recipes.run_folder import RunFolder
from casemix.recipes.tables import Read, raw_table, read_cohorts

FEWEST = 20  # subjects: below, no split leaves enough to fit and to judge
_LAYOUT = "layout.json"
_README = """\
# {name}: synthetic, no real patients

`{table}` was made by casemix ({method}, seed {seed}) from the columns of {source}. No row belongs
to a person. Its columns have the names, the order and the codings of that table.

- Ids are made up: `{prefix}...` in text, and in whole numbers one digit longer than any real id.
- Dates are shifted as a whole by some years, in weeks, so weekdays hold and calendar years do not.
- Empty columns: {empty}.

How good it is, and how private: `report.html`, `summary.md`, `metrics.json`.
How the columns were read: `mapping.yaml`.
"""


def run(request: Request, progress: Progress) -> None:
    """Make a synthetic table; see ``ehr_tables.yaml`` for the settings."""
    chain = {"order": ["tabular"], "tabular": request.settings["method"], "embedding_size": 8}
    whole = replace(request, settings={**request.settings, **chain})
    console = Console(stderr=True)

    def read(path: Path) -> Cohort:
        return read_one(path, request, console)

    folder, synthetic = make_patients("ehr-tables", whole, progress, read=read)
    write_tables(folder, synthetic, request)
    console.print(f"Table:          {request.out / 'synthetic.csv'} [dim](synthetic)[/]")


def write_tables(folder: RunFolder, synthetic: Cohort, request: Request) -> None:
    """Write ``synthetic.csv`` (and ``.parquet`` where the input is one) and ``SYNTHETIC.md``.

    Where the input was a table, the synthetic one has its columns in its order.
    """
    kept = request.out / _LAYOUT
    columns = from_json(read_json(kept)) if kept.exists() else []
    seed = child(request.seed, "layout")
    table = written(synthetic, columns, seed=seed) if columns else flat(synthetic)
    folder.once("synthetic.csv", "write the table", lambda p: table.to_csv(p, index=False))
    if request.data is not None and request.data.suffix.lower() == ".parquet":
        folder.once("synthetic.parquet", "write it as parquet", lambda p: _parquet(table, p))
    about = _readme(columns, synthetic, request)
    folder.once("SYNTHETIC.md", "write what it is", lambda p: atomic_text(p, about))


def read_one(path: Path, request: Request, console: Console) -> Cohort:
    """Read a cohort folder, or a table by the mapping of the settings or by an inferred one.

    The mapping is kept in the run folder as ``mapping.yaml``, to be corrected and given back.

    Raises:
        RunError: fewer than 20 subjects.
    """
    given = request.settings["mapping"]
    mapping = Path(given) if given else None
    read = read_cohorts({"data": path}, mapping=mapping, subject=request.settings["subject"])
    cohort = read.cohorts["data"]
    if len(cohort) < FEWEST:
        raise RunError(
            f"{path.name} has too few subjects to learn from and to judge by.",
            given=f"{len(cohort)} subjects in {len(cohort['tabular'])} rows",
            allowed=f"at least {FEWEST}",
            next_step="If rows are subjects of their own, say --set subject=none."
            if len(cohort["tabular"]) > len(cohort)
            else "",
        )
    if read.spec is not None:
        frame = raw_table(path, read.spec)
        columns = plan(frame, read.spec)
        atomic_json(request.out / _LAYOUT, to_json(columns))
        atomic_text(request.out / "mapping.yaml", read.mapping)
        _show(read, read.spec, columns, console)
        _warn_of_formulas(columns, console)
        if mapping is None:
            console.print(
                "These kinds and units were inferred. To correct them, edit "
                f"{request.out / 'mapping.yaml'}, keep it elsewhere, and run again with "
                "--set mapping=FILE and another --out.",
                markup=False,
            )
    return cohort


def _show(read: Read, spec: MappingSpec, columns: Sequence[Column], console: Console) -> None:
    """Print how each column is read and why, and what the import found."""
    records = spec.samples["tabular"]
    assert isinstance(records, TabularRecords)
    fields: Mapping[str, FieldSpec] = {**spec.subjects.fields, **records.fields, **records.columns}
    shown = Shown("column", "field", "kind", "unit", "values", "why", title=spec.about.name)
    for column in columns:
        field = fields.get(column.source)
        kind = {"subject": "subject id", "row": "row id", "empty": "left out"}.get(column.role, "")
        why = read.reasons.get(column.name, column.why)
        cells = [column.name, column.source, kind, "", "", why]
        if field is not None:
            cells[2:5] = [field.kind, field.unit, _values(field)]
        shown.add_row(*(_printable(cell) for cell in cells))
    console.print(shown)
    for line in read.notes:
        console.print(_printable(line, 400), markup=False, highlight=False)


def _values(field: FieldSpec) -> str:
    if field.range is not None:
        return f"{field.range[0]:.12g} to {field.range[1]:.12g}"
    names = field.level_names or tuple(dict.fromkeys(field.meaning.values()))
    return ", ".join(names[:6]) + (f" ... ({len(names)})" if len(names) > 6 else "")


def _printable(text: str, most: int = 120) -> str:
    """Return a cell for the terminal: no markup, no control characters, not too long."""
    plain = "".join(c if c.isprintable() else " " for c in text).replace("[", r"\[")
    return plain if len(plain) <= most else plain[: most - 3] + "..."


def _warn_of_formulas(columns: Sequence[Column], console: Console) -> None:
    risky = [
        column.name
        for column in columns
        if any(
            cell[:1] in "=+-@\t\r" and len(cell) > 1 for cell in (column.name, *column.raw.values())
        )
    ]
    if risky:
        console.print(
            "Cells or names that a spreadsheet program would run as formulas are written as they "
            f"are: {_printable(', '.join(risky), 300)}. Do not open the table with one.",
            markup=False,
        )


def _parquet(table: pd.DataFrame, path: Path) -> None:
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    about = {**(arrow.schema.metadata or {}), b"provenance": b"synthetic"}
    pq.write_table(arrow.replace_schema_metadata(about), path)


def _readme(columns: Sequence[Column], synthetic: Cohort, request: Request) -> str:
    gone = [f"`{_printable(c.name)}` ({c.why})" for c in columns if c.role == "empty"]
    return _README.format(
        name=request.out.name,
        table="synthetic.csv",
        method=request.settings["method"],
        seed=request.seed,
        source="the phantom" if request.data is None else request.data.name,
        prefix=str(synthetic.subjects.index[0])[:4],
        empty=", ".join(gone) or "none",
    )
