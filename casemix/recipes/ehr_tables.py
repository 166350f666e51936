"""Tables in; synthetic tables and a report on them out."""

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
from casemix.core.cohort_folder import is_cohort
from casemix.core.files import atomic_json, atomic_text, read_json
from casemix.core.progress import Progress
from casemix.core.seeding import child
from casemix.errors import RunError
from casemix.recipes import formats
from casemix.recipes.catalogue import Request
from casemix.recipes.chain import make_patients
from casemix.recipes.formats import omop
from casemix.recipes.linked_tables import check_keys, keys_text, load_keys
from casemix.recipes.linked_tables import write_tables as write_linked
from casemix.recipes.mapping import MappingSpec
from casemix.recipes.mapping.fields import FieldSpec
from casemix.recipes.mapping.layout import Column, from_json, plan, to_json
from casemix.recipes.mapping.spec import TabularRecords
from casemix.recipes.mapping.write_back import flat, written
from casemix.recipes.run_folder import RunFolder
from casemix.recipes.sources import LINKED as INFERRED
from casemix.recipes.sources import read_source
from casemix.recipes.tables import Read, raw_table, read_cohorts

FEWEST = 20  # subjects: below, no split leaves enough to fit and to judge
TABLE, LINKED, EVENTS = "tabular", "relational", "events"
_LAYOUT = "layout.json"
_KEYS = "keys.yaml"
_TABLES_README = """\
# Synthetic tables, no real patients

Made by casemix (seed {seed}). No row belongs to a person. Keys are counted anew, and each subject
has a made-up index date. How good they are, and how private: `report.html` beside this folder.
"""
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
    """Make synthetic tables; see ``ehr_tables.yaml`` for the settings."""
    settings = request.settings
    chain = {
        "order": [TABLE, LINKED, EVENTS],
        TABLE: settings["method"],
        LINKED: settings["linked_tables"],
        EVENTS: settings["events"],
        "embedding_size": 8,
    }
    whole = replace(request, settings={**settings, **chain})
    console = Console(stderr=True)

    def read(path: Path) -> Cohort:
        if path.is_dir() and not is_cohort(path):
            return read_folder(path, request, console)
        return read_one(path, request, console)

    folder, synthetic = make_patients("ehr-tables", whole, progress, read=read)
    if TABLE in synthetic.modalities:
        write_tables(folder, synthetic, request)
        console.print(f"Table:          {request.out / 'synthetic.csv'} [dim](synthetic)[/]")
    if (request.out / _KEYS).exists():
        write_folder(folder, synthetic, request, console)
        console.print(f"Tables:         {request.out / 'tables'} [dim](synthetic)[/]")


def read_folder(path: Path, request: Request, console: Console) -> Cohort:
    """Read a folder by the setting ``mapping``: a format's name, or keys of linked tables.

    Without one a folder with OMOP's person table is read as OMOP, another by inferred keys. The
    keys are kept in the run folder as ``keys.yaml``, to be corrected and given back.
    """
    kept, given = request.out / _KEYS, request.settings["mapping"]
    source = given or ("omop" if omop.is_folder(path) else INFERRED)
    cohort, notes = read_source(source, path, keys_to=kept)
    if source in formats.names():
        notes.insert(0, f"Read as the format {source}; another: --set mapping={INFERRED}.")
    elif given and given != INFERRED:
        atomic_text(kept, keys_text(source))
    for note in notes:
        console.print(_printable(note, 400), markup=False, highlight=False)
    return cohort


def write_folder(folder: RunFolder, synthetic: Cohort, request: Request, console: Console) -> None:
    """Write the linked tables as they were read into ``tables``, and check their keys.

    Raises:
        RunError: a key that comes twice, or a row without its parent.
    """
    keys = load_keys(request.out / _KEYS)
    ending = "csv" if request.data is not None and any(request.data.glob("*.csv")) else "parquet"
    seed = child(request.seed, "folder")

    def write(draft: Path) -> None:
        write_linked(synthetic, draft, keys, seed=seed, ending=ending)
        atomic_text(draft / "SYNTHETIC.md", _TABLES_README.format(seed=request.seed))

    made = folder.once("tables", "write the tables", write)
    broken = {
        name: counts for name, counts in check_keys(made, keys).items() if any(counts.values())
    }
    if broken:
        raise RunError("Keys of the written tables are broken.", given=broken)
    console.print("Keys:           every key is unique and every row has its parent")


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
    rows = len(cohort[TABLE]) if TABLE in cohort.modalities else 0
    if len(cohort) < FEWEST:
        raise RunError(
            f"{path.name} has too few subjects to learn from and to judge by.",
            given=f"{len(cohort)} subjects in {rows} rows" if rows else f"{len(cohort)} subjects",
            allowed=f"at least {FEWEST}",
            next_step="If rows are subjects of their own, say --set subject=none."
            if rows > len(cohort)
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
