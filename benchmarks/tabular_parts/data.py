"""The real tables of the benchmark, typed, and their halves by patient."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples
from casemix.modalities.tabular.data import Table
from casemix.modalities.tabular.toy import SCHEMA, toy

SUBJECT = "subject_id"
DATA = Path(__file__).parents[3] / "shared" / "data"


@dataclass(frozen=True)
class Part:
    """One table with the questions that it is judged by.

    Args:
        frame: typed columns of the schema, and the subject of each row.
        schema: the columns.
        target: the column that a downstream model predicts, and the level that counts as yes.
        triples: columns whose cells are given when conditions are judged.
        per_half: patients in each half; None = all.
    """

    frame: pd.DataFrame
    schema: Schema
    target: tuple[str, str]
    triples: tuple[tuple[str, str, str], ...] = ()
    per_half: int | None = None

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return list(self.schema.names)

    def halves(self, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return training and held-out rows; no patient is in both."""
        patients = np.random.default_rng(seed).permutation(self.frame[SUBJECT].unique())
        k = self.per_half or len(patients) // 2
        of = self.frame[SUBJECT]
        train, held_out = (self.frame[of.isin(p)] for p in (patients[:k], patients[k : 2 * k]))
        return train.reset_index(drop=True), held_out.reset_index(drop=True)


def load(name: str, data: Path, patients: int | None = None) -> Part:
    """Return a part by name: ``full``, ``small``, ``icu`` or ``tiny`` (made up, for tests).

    Args:
        name: of the part.
        data: folder of the real data.
        patients: patients in each half, if not the part's own number.
    """
    part = {"full": full, "small": small, "icu": icu, "tiny": lambda data: tiny()}[name](data)
    return replace(part, per_half=patients or part.per_half)


def full(data: Path) -> Part:
    """Return all rows of diabetes_130us with 48 columns."""
    raw = pd.read_parquet(data / "diabetes_130us" / "encounters.parquet")
    triples = (
        ("age", "diag_1", "readmitted"),
        ("medical_specialty", "diag_3", "insulin"),
        ("race", "time_in_hospital", "number_inpatient"),
    )
    frame, schema = typed(raw.drop(columns="encounter_id"), "patient_nbr", DIABETES, ("age",))
    return Part(frame, schema, ("readmitted", "<30"), triples)


def small(data: Path) -> Part:
    """Return diabetes_130us with halves of 600 patients."""
    whole = full(data)
    return Part(whole.frame, whole.schema, whole.target, whole.triples[:1], per_half=600)


def icu(data: Path) -> Part:
    """Return the statics and outcomes of icu_challenge2012, 2,877 patients; -1 is missing."""
    folder = data / "icu_challenge2012"
    statics, outcomes = (
        pd.read_parquet(folder / f"{name}.parquet") for name in ("statics", "outcomes")
    )
    raw = statics.merge(outcomes, on="patient_id").replace(-1, np.nan)
    numbers = ("age", "height_cm", "weight_kg", "saps_i", "sofa", "length_of_stay_days")
    frame, schema = typed(raw, "patient_id", (*numbers, "survival_days"), ())
    return Part(frame, schema, ("in_hospital_death", "1"), (("age", "icu_type", "sofa"),))


def tiny() -> Part:
    """Return 400 made-up records."""
    records, _ = toy(400, seed=0)
    frame = records.payload.frame.assign(**{SUBJECT: [f"p{i // 2}" for i in range(400)]})
    return Part(frame, SCHEMA, ("treated", "yes"), (("ward", "stage", "marker"),))


DIABETES = (
    "time_in_hospital",
    "num_lab_procedures",
    "num_procedures",
    "num_medications",
    "number_outpatient",
    "number_emergency",
    "number_inpatient",
    "number_diagnoses",
)


def typed(
    raw: pd.DataFrame, subject: str, numbers: tuple[str, ...], ordered: tuple[str, ...]
) -> tuple[pd.DataFrame, Schema]:
    """Return the columns as numbers or text levels, with the subject, and their schema."""
    columns, fields = {SUBJECT: raw[subject].astype(str)}, []
    for name in raw.columns.drop(subject):
        if name in numbers:
            values = raw[name].astype(float)
            fields.append(Field(name, Kind.NUMERIC, range=(values.min(), values.max())))
        else:
            values = raw[name].map(_level, na_action="ignore").astype(object)
            values = values.where(values.notna(), None)
            kind = Kind.ORDINAL if name in ordered else Kind.CATEGORICAL
            fields.append(Field(name, kind, levels=tuple(sorted(set(values.dropna())))))
        columns[name] = values
    return pd.DataFrame(columns), Schema(tuple(fields))


def _level(cell: object) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def as_samples(rows: pd.DataFrame, schema: Schema) -> tuple[Samples, Conditions]:
    """Return rows as records whose own cells may all be given."""
    ids = pd.Index([f"real-{i}" for i in range(len(rows))], dtype=object)
    frame = rows[list(schema.names)].set_axis(ids, axis=0)
    given = Conditions.of(frame, schema, subject_ids=rows[SUBJECT])
    return Samples("tabular", given.rows[["subject_id", "time"]], Table(frame, schema)), given


def wanted(n: int, schema: Schema, fixed: pd.DataFrame | None = None) -> Conditions:
    """Return conditions of n new rows, of which the fixed columns are given, (n, columns)."""
    ids = pd.Index([f"syn-{i:07d}" for i in range(n)], dtype=object)
    if fixed is None:
        return Conditions.of(schema.empty(ids), schema)
    cells = fixed.set_axis(ids, axis=0)
    return Conditions.of(cells, schema.pick(cells.columns))
