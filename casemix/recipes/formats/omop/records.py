"""The records of OMOP tables as one long table of persons, moments, codes and values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from casemix.core.cohort import Provenance
from casemix.recipes.formats.omop.codebook import VOCABULARY
from casemix.recipes.formats.omop.facts import CONTEXT
from casemix.recipes.formats.omop.rows import SHAPES, Shape
from casemix.recipes.formats.omop.source import first_known, read_frame

_COLUMNS = ("person", "moment", "code", "value", "text", "unit")
DEATH = "MEDS_DEATH"
_BIRTH = "MEDS_BIRTH"
#: Where a visit says how it ended.
LEFT = "discharged_to_source_value"


def origin(root: Path) -> Provenance | None:
    """Return the provenance of a folder that casemix wrote; None for other folders."""
    source = read_frame(root, "cdm_source", (), ("cdm_etl_reference",))
    if source is None or len(source) != 1:
        return None
    written = str(source["cdm_etl_reference"].iloc[0]).split()
    if len(written) != 3 or written[0] != VOCABULARY or written[2] not in list(Provenance):
        return None
    return Provenance(written[2])


def whole_codes(root: Path) -> Mapping[str, str]:
    """Return source value -> whole code, of a folder that casemix wrote."""
    table = read_frame(root, "source_to_concept_map", ())
    if table is None:
        return {}
    mine = table[table["source_vocabulary_id"] == VOCABULARY]
    return dict(zip(mine["source_code"], mine["source_code_description"], strict=True))


def own_records(root: Path, person: pd.DataFrame, codes: Mapping[str, str]) -> pd.DataFrame:
    """Return the records of a folder that casemix wrote, with the codes that it was given.

    Of records at the same moment, the starts of visits come first, ends and death last.

    Returns:
        One row per record: ``person``, ``moment``, ``code``, ``value``, ``text`` and ``unit``.
    """
    starts, ends = _visits(root, codes)
    parts = []
    if _BIRTH in codes:
        dates = person.rename(columns={"birth_datetime": "birth_date"})
        parts.append(marks(dates, "birth", _BIRTH))
    parts += starts
    for name, shape in SHAPES.items():
        rows = read_frame(root, name, ("person_id",))
        if rows is not None:
            records = table_records(
                rows, shape, _known(rows[f"{shape.prefix}_source_value"], codes)
            )
            records["text"] = _known(records["text"], codes)
            parts.append(records)
    deaths = read_frame(root, "death", ("person_id",))
    if deaths is not None:
        cause = _known(deaths["cause_source_value"], codes).astype("string")
        ends.append(marks(deaths, "death", (DEATH + ("//" + cause).fillna("")).astype(object)))
    return joined([*parts, *ends])


def _visits(root: Path, codes: Mapping[str, str]) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Return the records of the starts of visits and stays within them, and of their ends."""
    starts: list[pd.DataFrame] = []
    ends: list[pd.DataFrame] = []
    for name, prefix in (("visit_occurrence", "visit"), ("visit_detail", "visit_detail")):
        visits = read_frame(root, name, ("person_id",))
        if visits is None:
            continue
        opening = _known(visits[f"{prefix}_source_value"], codes)
        starts.append(marks(visits, f"{prefix}_start", opening))
        closed = visits[visits[LEFT].notna()]
        ends.insert(0, marks(closed, f"{prefix}_end", _known(closed[LEFT], codes)))
    return starts, ends


def written_notes(root: Path, codes: Mapping[str, str]) -> pd.DataFrame:
    """Return the notes: ``person``, ``moment``, ``code`` (note_id), ``text`` and ``type``."""
    needed = ("person_id", "note_date", "note_text")
    rows = read_frame(root, "note", needed, ("note_id", "note_datetime", "note_source_value"))
    if rows is None:
        return _empty(("person", "moment", "code", "text", "type"))
    return pd.DataFrame(
        {
            "person": rows["person_id"],
            "moment": moments(rows, "note"),
            "code": rows["note_id"].astype(str),
            "text": rows["note_text"],
            "type": _known(rows["note_source_value"], codes),
        }
    )


def moments(rows: pd.DataFrame, start: str) -> pd.Series:
    """Return the time of each row, midnight where only the date is known."""
    day = rows[f"{start}_date"]
    exact = rows.get(f"{start}_datetime")
    return day if exact is None else exact.fillna(day)


def table_records(rows: pd.DataFrame, shape: Shape, code: pd.Series) -> pd.DataFrame:
    """Return the records of a clinical table, under these codes."""
    blank = pd.Series(None, index=rows.index, dtype=object)
    return pd.DataFrame(
        {
            "person": rows["person_id"],
            "moment": moments(rows, shape.start),
            "code": code,
            "value": rows[shape.value] if shape.value else float("nan"),
            "text": first_known(*(rows[field] for field in shape.texts), blank),
            "unit": rows[shape.unit] if shape.unit else None,
        }
    )


def marks(rows: pd.DataFrame, start: str, code: pd.Series | str) -> pd.DataFrame:
    """Return records that have no more than a time and a code."""
    return pd.DataFrame({"person": rows["person_id"], "moment": moments(rows, start), "code": code})


def _known(values: pd.Series, codes: Mapping[str, str]) -> pd.Series:
    return values.map(lambda value: codes.get(value, value)).astype(object)


def joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the records of all tables, with their text at the end of their code."""
    whole = [part.reindex(columns=list(_COLUMNS)) for part in parts if len(part)]
    if not whole:
        return _empty(_COLUMNS)
    known = pd.concat([part.dropna(axis=1, how="all") for part in whole], ignore_index=True)
    return _with_text(known.reindex(columns=list(_COLUMNS)))


def _empty(columns: tuple[str, ...]) -> pd.DataFrame:
    frame = pd.DataFrame({name: pd.Series([], dtype=object) for name in columns})
    return frame.astype({"moment": "datetime64[us]"})


def _with_text(records: pd.DataFrame) -> pd.DataFrame:
    """Return records whose text, the subject's context apart, stands at the end of the code."""
    text = records["text"]
    spoken = text.notna() & ~records["code"].astype(str).str.startswith(CONTEXT)
    code = first_known((records["code"] + "//" + text).where(spoken), records["code"])
    return records.assign(code=code, text=first_known(text.where(~spoken)))
