"""The records of OMOP tables that another tool wrote: codes are made from their fields."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from casemix.recipes.formats.omop.records import DEATH, LEFT, joined, marks, table_records
from casemix.recipes.formats.omop.rows import SHAPES, Shape
from casemix.recipes.formats.omop.source import first_known, read_frame

_LAST_SECOND = pd.Timedelta(hours=23, minutes=59, seconds=59)


def foreign_records(root: Path) -> pd.DataFrame:
    """Return the records of a folder that another tool wrote, with codes made from its fields.

    A death, or the end of a visit, of which only the day is known is put at the day's end. Of
    records at the same moment, the starts of visits come first, ends and death last.

    Returns:
        One row per record: ``person``, ``moment``, ``code``, ``value``, ``text`` and ``unit``.
    """
    concepts = _concepts(root)
    starts, ends = _visits(root, concepts)
    parts = [*starts]
    for name, shape in SHAPES.items():
        rows = read_frame(root, name, ("person_id", f"{shape.start}_date"))
        if rows is not None:
            parts.append(_foreign(rows, shape, concepts))
    deaths = read_frame(root, "death", ("person_id", "death_date"))
    if deaths is not None:
        ends.append(marks(_ended(deaths, "death"), "death", DEATH))
    return joined([*parts, *ends])


def _visits(
    root: Path, concepts: Mapping[str, str]
) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Return the records of the visits' starts, and those of their ends."""
    visits = read_frame(root, "visit_occurrence", ("person_id", "visit_start_date"))
    if visits is None:
        return [], []
    kind = _named(visits, "visit", concepts)
    leaving = first_known(visits[LEFT], kind)
    known = visits["visit_end_date"].notna()
    over = _ended(visits[known], "visit_end")
    return (
        [marks(visits, "visit_start", "VISIT_START//" + kind)],
        [marks(over, "visit_end", ("VISIT_END//" + leaving)[known])],
    )


def _ended(rows: pd.DataFrame, end: str) -> pd.DataFrame:
    """Return rows whose end, where only its day is known, is the day's last second."""
    exact = rows[f"{end}_datetime"].fillna(rows[f"{end}_date"] + _LAST_SECOND)
    return rows.assign(**{f"{end}_datetime": exact})


def _foreign(rows: pd.DataFrame, shape: Shape, concepts: Mapping[str, str]) -> pd.DataFrame:
    records = table_records(rows, shape, shape.code + "//" + _named(rows, shape.prefix, concepts))
    if "value_as_concept_id" in rows:
        answer = _concept(rows["value_as_concept_id"])
        records["text"] = first_known(records["text"], answer.map(concepts), answer)
    records["text"] = first_known(records["text"].where(records["value"].isna()))
    if "unit_concept_id" in rows:
        unit = _concept(rows["unit_concept_id"]).map(concepts).astype(object)
        records["unit"] = first_known(records["unit"], unit.str.split("//").str[-1])
    united = records["value"].notna() & records["unit"].notna()
    code = first_known((records["code"] + "//" + records["unit"]).where(united), records["code"])
    return records.assign(code=code, unit=first_known(records["unit"].where(united)))


def _named(rows: pd.DataFrame, prefix: str, concepts: Mapping[str, str]) -> pd.Series:
    """Return the source value or, without one, the concept; None where there is neither."""
    concept = _concept(rows[f"{prefix}_concept_id"])
    source = rows[f"{prefix}_source_value"]
    return first_known(source.where(source != ""), concept.map(concepts), concept)


def _concept(ids: pd.Series) -> pd.Series:
    """Return concept ids as text; None for 0, OMOP's word for no concept."""
    return first_known(ids.astype("string").where(ids != 0))


def _concepts(root: Path) -> Mapping[str, str]:
    """Return concept id -> ``vocabulary//code``, where the folder has the vocabulary."""
    table = read_frame(root, "concept", ("concept_id", "vocabulary_id", "concept_code"))
    if table is None:
        return {}
    return dict(
        zip(table["concept_id"], table["vocabulary_id"] + "//" + table["concept_code"], strict=True)
    )
