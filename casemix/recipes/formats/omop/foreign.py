"""The records of OMOP tables that another tool wrote: codes are made from their fields."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from casemix.recipes.formats.omop.concepts import Concepts
from casemix.recipes.formats.omop.records import DEATH, LEFT, joined, marks, table_records
from casemix.recipes.formats.omop.rows import SHAPES, Shape
from casemix.recipes.formats.omop.source import first_known, read_frame
from casemix.recipes.formats.omop.subjects import SEX

_LAST_SECOND = pd.Timedelta(hours=23, minutes=59, seconds=59).as_unit("us")
_FEW_VISITS = 20  # so many visits may each be of another kind
_VISIT = (
    "visit_occurrence_id",
    "visit_start_datetime",
    "visit_end_date",
    "visit_end_datetime",
    "visit_concept_id",
    "visit_source_value",
    "discharged_to_concept_id",
    LEFT,
)


def foreign_records(root: Path, concepts: Concepts, notes: list[str]) -> pd.DataFrame:
    """Return the records of a folder that another tool wrote, with codes made from its fields.

    A death, or the end of a visit, of which only the day is known is put at the day's end. Of
    records at the same moment, the starts of visits come first, ends and death last.

    Args:
        root: the folder.
        concepts: its vocabulary.
        notes: takes up what in the tables looks wrong, and how it was read.

    Returns:
        One row per record: ``person``, ``moment``, ``code``, ``value``, ``text`` and ``unit``.
    """
    starts, ends = _visits(root, concepts, notes)
    parts = [*starts]
    for name, shape in SHAPES.items():
        rows = read_frame(root, name, ("person_id", f"{shape.start}_date"), _fields(name, shape))
        if rows is not None:
            _count_repeated(rows[f"{name}_id"], name, notes)
            parts.append(_foreign(rows, shape, concepts))
    return joined([*parts, *ends, *_deaths(root, notes)])


def described(person: pd.DataFrame, concepts: Concepts) -> pd.DataFrame:
    """Return persons whose source values say what their concepts say.

    Sex is F or M where the concept is known, for each site spells it in its own way; race and
    ethnicity are the source value or, without one, the concept's name.
    """
    spelt = _filled(person["gender_source_value"])
    known = {"gender_source_value": first_known(person["gender_concept_id"].map(SEX), spelt)}
    for role in ("race", "ethnicity"):
        field = f"{role}_source_value"
        name = concepts.names(person[f"{role}_concept_id"])
        known[field] = first_known(_filled(person[field]), name)
    return person.assign(**known)


def _visits(
    root: Path, concepts: Concepts, notes: list[str]
) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Return the records of the visits' starts, and those of their ends."""
    visits = read_frame(root, "visit_occurrence", ("person_id", "visit_start_date"), _VISIT)
    if visits is None:
        return [], []
    _count_repeated(visits["visit_occurrence_id"], "visit_occurrence", notes)
    kind = _named(_without_numbers(visits, notes), "visit", concepts)
    goal = concepts.codes(visits["discharged_to_concept_id"])
    leaving = first_known(_filled(visits[LEFT]), goal, kind)
    early = visits["visit_end_date"] < visits["visit_start_date"]
    if early.any():
        notes.append(f"Visits that end before they begin, end not read: {int(early.sum())}.")
    known = visits["visit_end_date"].notna() & ~early
    over = _ended(visits[known], "visit_end")
    return (
        [marks(visits, "visit_start", _joined("VISIT_START", kind))],
        [marks(over, "visit_end", _joined("VISIT_END", leaving)[known])],
    )


def _deaths(root: Path, notes: list[str]) -> list[pd.DataFrame]:
    deaths = read_frame(root, "death", ("person_id", "death_date"), ("death_datetime",))
    if deaths is None:
        return []
    deaths = _ended(deaths, "death").sort_values("death_datetime", kind="stable")
    again = deaths["person_id"].duplicated()
    if again.any():
        notes.append(f"Second deaths of a person, not read: {int(again.sum())}.")
    return [marks(deaths[~again], "death", DEATH)]


def _without_numbers(visits: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return visits without their source value where it is a number of the visit, not its kind.

    A number must not become a code: it says nothing, and may find the patient in the hospital.
    """
    source = visits["visit_source_value"].dropna()
    different = source.nunique()
    if len(source) < _FEW_VISITS or 2 * different < len(source):
        return visits
    notes.append(
        f"visit_source_value has {different} values in {len(source)} visits: taken for a number of "
        "the visit, and not read. The visit's kind is its concept."
    )
    return visits.assign(visit_source_value=None)


def _joined(first: str, kind: pd.Series) -> pd.Series:
    """Return the codes of visits; of one whose kind is not known, its first part."""
    return first_known(first + "//" + kind, pd.Series(first, index=kind.index))


def _ended(rows: pd.DataFrame, end: str) -> pd.DataFrame:
    """Return rows whose end, where only its day is known, is the day's last second."""
    exact = rows[f"{end}_datetime"].fillna(rows[f"{end}_date"] + _LAST_SECOND)
    return rows.assign(**{f"{end}_datetime": exact})


def _foreign(rows: pd.DataFrame, shape: Shape, concepts: Concepts) -> pd.DataFrame:
    records = table_records(rows, shape, shape.code + "//" + _named(rows, shape.prefix, concepts))
    if "value_as_concept_id" in rows:
        answer = concepts.codes(rows["value_as_concept_id"])
        records["text"] = first_known(records["text"], answer)
    records["text"] = first_known(records["text"].where(records["value"].isna()))
    if "unit_concept_id" in rows:
        records["unit"] = first_known(records["unit"], concepts.units(rows["unit_concept_id"]))
    united = records["value"].notna() & records["unit"].notna()
    code = first_known((records["code"] + "//" + records["unit"]).where(united), records["code"])
    return records.assign(code=code, unit=first_known(records["unit"].where(united)))


def _fields(name: str, shape: Shape) -> tuple[str, ...]:
    """Return the fields of a clinical table that are read where it has them."""
    own = (f"{name}_id", f"{shape.start}_datetime")
    code = (f"{shape.prefix}_concept_id", f"{shape.prefix}_source_value")
    value = (shape.value, *shape.texts, shape.unit) if shape.value else ()
    concepts = ("value_as_concept_id", "unit_concept_id") if shape.texts else ()
    return (*own, *code, *value, *concepts)


def _named(rows: pd.DataFrame, prefix: str, concepts: Concepts) -> pd.Series:
    """Return the source value or, without one, the concept; None where there is neither."""
    source = _filled(rows[f"{prefix}_source_value"])
    return first_known(source, concepts.codes(rows[f"{prefix}_concept_id"]))


def _filled(texts: pd.Series) -> pd.Series:
    """Return texts; blank ones are missing."""
    return texts.where(texts.astype("string").str.strip().fillna("") != "")


def _count_repeated(keys: pd.Series, name: str, notes: list[str]) -> None:
    repeated = int(keys.dropna().duplicated().sum())
    if repeated:
        notes.append(
            f"{name} repeats its key in {repeated} rows; they are read as records of their own."
        )
