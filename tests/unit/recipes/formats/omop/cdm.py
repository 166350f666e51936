"""An empty OMOP CDM 5.4 database in memory, made from the models of the package omop-cdm."""

from __future__ import annotations

import pandas as pd
from omop_cdm.constants import CDM_SCHEMA, VOCAB_SCHEMA
from omop_cdm.regular.cdm54 import Base
from sqlalchemy import Engine, Table, create_engine, insert, text
from sqlalchemy.types import Date, DateTime

PLAIN = {"schema_translate_map": {CDM_SCHEMA: None, VOCAB_SCHEMA: None}}


def models() -> dict[str, Table]:
    """The library's table definitions by name."""
    return {name.rpartition(".")[2]: table for name, table in Base.metadata.tables.items()}


def database() -> Engine:
    """A database with all tables of the model, and no row."""
    engine = create_engine("sqlite://").execution_options(**PLAIN)
    Base.metadata.create_all(engine)
    return engine


def vocabulary(engine: Engine, concepts: list[int]) -> None:
    """Add the concepts that rows may name, and what these depend on."""
    day = pd.Timestamp("1970-01-01").date()
    shared = {"domain_id": "d", "concept_class_id": "c", "vocabulary_id": "v"}
    dates = {"valid_start_date": day, "valid_end_date": day}
    rows = {
        "domain": [{"domain_id": "d", "domain_name": "d", "domain_concept_id": 0}],
        "concept_class": [
            {"concept_class_id": "c", "concept_class_name": "c", "concept_class_concept_id": 0}
        ],
        "vocabulary": [
            {"vocabulary_id": v, "vocabulary_name": v, "vocabulary_concept_id": 0}
            for v in ("v", "casemix", "None")
        ],
        "concept": [
            {"concept_id": c, "concept_name": str(c), "concept_code": str(c), **shared, **dates}
            for c in concepts
        ],
    }
    with engine.begin() as connection:
        for name, records in rows.items():
            connection.execute(insert(models()[name]), records)


def load(engine: Engine, name: str, frame: pd.DataFrame) -> None:
    """Insert a file's rows; a field that the model lacks or an empty required cell fails."""
    table = models()[name]
    assert list(frame.columns) == [c.name for c in table.columns]
    records = []
    for row in frame.to_dict("records"):
        cells = {n: None if pd.isna(v) else v for n, v in row.items()}
        for column in table.columns:
            if cells[column.name] is not None and isinstance(column.type, Date | DateTime):
                moment = pd.Timestamp(cells[column.name])
                is_date = isinstance(column.type, Date)
                cells[column.name] = moment.date() if is_date else moment.to_pydatetime()
        records.append(cells)
    if records:
        with engine.begin() as connection:
            connection.execute(insert(table), records)


def broken_links(engine: Engine) -> list[tuple]:
    """The rows whose foreign key leads nowhere."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text("PRAGMA foreign_key_check"))]
