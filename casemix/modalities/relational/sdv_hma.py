"""Linked tables as SDV's HMA synthesizer takes them, and its tables as ours."""

from __future__ import annotations

import importlib
import io
import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from casemix.core import seeding
from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind, Schema
from casemix.errors import FitError, MissingExtraError
from casemix.modalities.relational.data import ROOT, LinkedTables
from casemix.modalities.relational.table_form import TableForm

SUBJECTS = "subjects"
_KEY, _PARENT = "__key", "__parent"
_WHO = "relational/hma"
_MOST = 4  # tables
_LOST = -2  # a row without a parent


def fit_hma(tables: LinkedTables, given: Conditions) -> Any:
    """Return SDV's HMASynthesizer, fitted on the tables as children of a table of subjects.

    SDV's public HMA takes two levels and five tables, so deeper tables are children of the subjects
    too. Times after the first one become hours after it.

    Raises:
        MissingExtraError: SDV is not installed.
        FitError: more than four tables.
    """
    if len(tables.forms) > _MOST:
        raise FitError(
            f"{_WHO} takes at most {_MOST} tables besides the subjects: a limit of SDV's.",
            given=[f.name for f in tables.forms],
            next_step="Leave tables out, or use relational/hierarchical.",
        )
    with quiet(0):
        metadata = _sdv("metadata").Metadata.load_from_dict(_metadata(tables, given.schema))
        synthesizer = _sdv("multi_table").HMASynthesizer(metadata, verbose=False)
        synthesizer.fit(_frames(tables, given))
    return synthesizer


def sample_hma(synthesizer: Any, n: int, *, seed: int) -> dict[str, pd.DataFrame]:
    """Return n fresh subjects and what belongs to them, as SDV's frames by table."""
    with quiet(seed):
        synthesizer.reset_sampling()
        for table in synthesizer._table_synthesizers.values():
            # SDV has no public way to another seed than its fixed one.
            table._set_random_state(seed % 2**32)
        frames: dict[str, pd.DataFrame] = synthesizer.sample(n, SUBJECTS)
    return frames


def load_hma(path: Path) -> Any:
    """Return what SDV saved; this can run code.

    Raises:
        MissingExtraError: SDV is not installed.
    """
    with quiet(0):
        return _sdv("utils").load_synthesizer(str(path))


def as_tables(
    frames: Mapping[str, pd.DataFrame],
    forms: tuple[TableForm, ...],
    chosen: np.ndarray,
    *,
    seed: int,
) -> LinkedTables:
    """Return the rows of chosen subjects as linked tables.

    A row of a deeper table joins the last row of its parent table that begins before it, or, where
    that is not known, one at random; where the subject has none, it is left out.

    Args:
        frames: what `sample_hma` returned.
        forms: the tables.
        chosen: positions of subjects, (n,), without repeats.
        seed: which parent, where times do not tell.
    """
    people = pd.Index(frames[SUBJECTS][_KEY].to_numpy()[chosen])
    typed: dict[str, pd.DataFrame] = {}
    for form in forms:
        frame = frames[form.name]
        item = people.get_indexer(pd.Index(frame[_PARENT]))
        cells = {f.name: as_cells(f, frame[f.name]) for f in form.schema}
        rows = pd.DataFrame({"item": item, **cells})[item >= 0].reset_index(drop=True)
        for name in form.times[1:]:
            rows[name] = rows[name] + rows[form.start]
        above = next((f for f in forms if f.name == form.parent), None)
        parent = np.full(len(rows), ROOT)
        if above is not None:
            rng = seeding.generator(seed, "parents", form.name)
            parent = np.array(_joined(form, rows, above, typed[above.name], rng), dtype=int)
        rows = rows.assign(parent=parent)[parent != _LOST].reset_index(drop=True)
        typed[form.name] = rows.assign(row=rows.groupby("item").cumcount())
    return LinkedTables(forms, typed, len(people))


def _joined(
    form: TableForm,
    rows: pd.DataFrame,
    above: TableForm,
    parents: pd.DataFrame,
    rng: np.random.Generator,
) -> list[int]:
    """Return the key of the parent that each row joins, -2 where its subject has none."""
    by_item = dict(iter(parents.groupby("item")))
    found = []
    for item, time in zip(
        rows["item"], rows[form.start] if form.start else rows["item"], strict=True
    ):
        own = by_item.get(item)
        if own is None:
            found.append(_LOST)
            continue
        before = own[own[above.start] <= time] if form.start and above.start else own.iloc[:0]
        if len(before):
            found.append(int(before["row"].iloc[int(before[above.start].argmax())]))
        else:
            found.append(int(own["row"].iloc[rng.integers(len(own))]))
    return found


def as_cells(field: Field, cells: pd.Series) -> pd.Series:
    """Return SDV's cells in a field's storage form, within its range."""
    if field.kind is not Kind.NUMERIC:
        known = zip(cells, cells.notna(), strict=True)
        return pd.Series([v if there else None for v, there in known], dtype=object)
    numbers = pd.to_numeric(cells).astype("float64")
    return numbers if field.range is None else numbers.clip(*field.range)


def _frames(tables: LinkedTables, given: Conditions) -> dict[str, pd.DataFrame]:
    people = given.values.reset_index(drop=True)[list(_plain(given.schema).names)]
    frames = {SUBJECTS: people.assign(**{_KEY: np.arange(len(people))})}
    for form in tables.forms:
        frame = tables.frames[form.name]
        columns = {name: frame[name] for name in form.schema.names}
        for name in form.times[1:]:
            columns[name] = frame[name] - frame[form.start]
        keys = {_KEY: np.arange(len(frame)), _PARENT: frame["item"].to_numpy()}
        frames[form.name] = pd.DataFrame(columns).assign(**keys)
    return frames


def _metadata(tables: LinkedTables, given: Schema) -> dict[str, Any]:
    about = {SUBJECTS: _plain(given), **{f.name: f.schema for f in tables.forms}}
    described = {}
    for name, schema in about.items():
        columns = {f.name: {"sdtype": _sdtype(f)} for f in schema} | {_KEY: {"sdtype": "id"}}
        if name != SUBJECTS:
            columns[_PARENT] = {"sdtype": "id"}
        described[name] = {"primary_key": _KEY, "columns": columns}
    links = [
        {
            "parent_table_name": SUBJECTS,
            "parent_primary_key": _KEY,
            "child_table_name": form.name,
            "child_foreign_key": _PARENT,
        }
        for form in tables.forms
    ]
    return {"tables": described, "relationships": links}


def _sdtype(field: Field) -> str:
    return "numerical" if field.kind is Kind.NUMERIC else "categorical"


def _plain(schema: Schema) -> Schema:
    return Schema(tuple(f for f in schema if f.kind is not Kind.CODES))


def _sdv(module: str) -> Any:
    """Import a module of SDV, which is an extra."""
    try:
        return importlib.import_module(f"sdv.{module}")
    except ImportError as error:
        raise MissingExtraError(
            f"{_WHO} needs SDV, which is not installed.",
            next_step='Install it with: pip install "casemix[sdv]". SDV is under BUSL-1.1, which '
            "forbids offering a commercial synthetic-data service on it.",
        ) from error


@contextmanager
def quiet(seed: int) -> Iterator[None]:
    """Run a call to SDV without its output and without a trace in global random state."""
    import torch

    python, numpy = random.getstate(), np.random.get_state()
    try:
        with (
            torch.random.fork_rng(devices=[]),
            warnings.catch_warnings(),
            redirect_stdout(io.StringIO()),
            joblib.parallel_config(backend="sequential"),
        ):
            warnings.simplefilter("ignore")
            random.seed(seed)
            np.random.seed(seed % 2**32)
            torch.manual_seed(seed)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
