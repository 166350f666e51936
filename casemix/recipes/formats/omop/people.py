"""Persons: integer ids, a made-up index date each, birth, sex and race."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from casemix.core import seeding
from casemix.core.cohort import Cohort
from casemix.core.fields import LEVELLED, Kind
from casemix.errors import CohortError
from casemix.recipes.formats.omop.codebook import short

#: Hours of a year of 365.25 days.
YEAR = 8766.0
_SEX = {"f": 8532, "female": 8532, "m": 8507, "male": 8507}
#: The model's names of races and ethnicities, and their concepts.
RACES = {
    "American Indian or Alaska Native": 8657,
    "Asian": 8515,
    "Black or African American": 8516,
    "Native Hawaiian or Other Pacific Islander": 8557,
    "White": 8527,
}
ETHNICITIES = {"Hispanic or Latino": 38003563, "Not Hispanic or Latino": 38003564}
_RACE = {"black": 8516, **{name.lower(): concept for name, concept in RACES.items()}}
_ETHNICITY = {name.lower(): concept for name, concept in ETHNICITIES.items()}
_LEVELLED_FIELDS = ("sex", "gender", "race", "ethnicity")
_FIRST_DAY = np.datetime64("2000-01-01", "us")
_DAYS = 3653  # index dates lie in the ten years from the first day
_YEARS_AWAY = 200  # an event further from the index time is taken for a mistake
_HOUR = 3_600_000_000  # microseconds


@dataclass(frozen=True)
class People:
    """The persons of an export, in the order of their ids.

    Args:
        person: person_id of each subject of the cohort, 0 = left out, int64 (subjects,).
        index: the made-up index time of each subject, datetime64[us] (subjects,).
        frame: one row per person with the columns of ``person`` that are known.
    """

    person: np.ndarray
    index: np.ndarray
    frame: pd.DataFrame

    @property
    def kept(self) -> np.ndarray:
        """Which subjects are persons, bool (subjects,)."""
        return self.person > 0

    def moment(self, subject: np.ndarray, hours: np.ndarray) -> np.ndarray:
        """Return the date and time of moments given in hours, datetime64[us].

        Raises:
            CohortError: a moment more than 200 years from the index time.
        """
        far = np.abs(hours) > _YEARS_AWAY * YEAR
        if far.any():
            raise CohortError(
                "A record lies too far from its subject's index time to have a date.",
                given=f"{hours[far][0]:g} hours",
                allowed=f"at most {_YEARS_AWAY} years",
            )
        return self.index[subject] + np.rint(hours * _HOUR).astype("timedelta64[us]")


def own_fields(cohort: Cohort) -> dict[str, str]:
    """Return which subject fields ``person`` holds: age, sex, race, ethnicity -> field name."""
    found: dict[str, str] = {}
    for field in cohort.schema:
        if field.kind is Kind.NUMERIC and (
            field.name == "age" or (field.name.startswith("age_") and field.unit == "a")
        ):
            found.setdefault("age", field.name)
        elif field.name in _LEVELLED_FIELDS and field.kind in LEVELLED:
            role = "sex" if field.name == "gender" else field.name
            found.setdefault(role, field.name)
    return found


def people_of(cohort: Cohort, births: pd.Series, fields: Mapping[str, str], seed: int) -> People:
    """Return the persons; a subject whose birth is not known is none, since OMOP demands it.

    Args:
        cohort: whose subjects.
        births: birth in hours since the index time by position of the subject, where an event
            says it; else it follows from the age.
        fields: see `own_fields`.
        seed: which ids and index dates.

    Raises:
        CohortError: no subject's birth is known.
    """
    ids = list(cohort.subjects.index)
    index = _index_dates(ids, seed)
    born = np.full(len(ids), np.nan)
    if "age" in fields:
        born = -cohort.subjects[fields["age"]].to_numpy(dtype=float) * YEAR
    born[births.index.to_numpy(dtype=int)] = births.to_numpy()
    kept = ~np.isnan(born)
    if not kept.any():
        raise CohortError(
            "OMOP needs a year of birth, and the cohort knows no subject's age.",
            given=list(cohort.schema.names) or "no subject fields",
            allowed="a numeric subject field 'age' in years, or MEDS_BIRTH events",
            next_step="Add the age, or export to csv or parquet.",
        )
    person = np.zeros(len(ids), dtype=np.int64)
    order = np.argsort(seeding.uniform(seed, ids, 1, stream="omop person")[:, 0])
    order = order[kept[order]]
    person[order] = np.arange(1, len(order) + 1)
    people = People(person, index, pd.DataFrame())
    moments = people.moment(order, born[order])
    return People(person, index, _frame(cohort.subjects.iloc[order], moments, fields))


def _index_dates(ids: list[str], seed: int) -> np.ndarray:
    """Return a midnight per subject that depends on nothing but the seed and its id."""
    day = np.floor(seeding.uniform(seed, ids, 1, stream="omop index date")[:, 0] * _DAYS)
    return _FIRST_DAY + day.astype("timedelta64[D]")


def _frame(subjects: pd.DataFrame, born: np.ndarray, fields: Mapping[str, str]) -> pd.DataFrame:
    date = pd.Series(born).dt
    blank = pd.Series([None] * len(subjects), dtype=object)
    own = {
        role: subjects[fields[role]].reset_index(drop=True) if role in fields else blank
        for role in ("sex", "race", "ethnicity")
    }
    return pd.DataFrame(
        {
            "person_id": np.arange(1, len(subjects) + 1),
            "gender_concept_id": _concepts(own["sex"], _SEX),
            "year_of_birth": date.year,
            "month_of_birth": date.month,
            "day_of_birth": date.day,
            "birth_datetime": born,
            "race_concept_id": _concepts(own["race"], _RACE),
            "ethnicity_concept_id": _concepts(own["ethnicity"], _ETHNICITY),
            "person_source_value": [short(s) for s in subjects.index],
            "gender_source_value": own["sex"],
            "race_source_value": own["race"],
            "ethnicity_source_value": own["ethnicity"],
        }
    )


def _concepts(levels: pd.Series, known: Mapping[str, int]) -> pd.Series:
    return levels.map(lambda level: known.get(str(level).lower(), 0)).astype("int64")
