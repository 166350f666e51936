"""What the files of other tools are like: dates, words for no value, persons, keys."""

from __future__ import annotations

import csv

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from casemix.errors import ArtifactError, CohortError
from casemix.recipes.formats import omop

from .folders import FIRST, PERSON, events, folder


@pytest.mark.parametrize(
    ("written", "hours"),
    [
        ("20200302", 24),
        ("20200302 08:30:00", 32.5),
        ("2020-3-2", 24),
        ("2020-3-2 8:30", 32.5),
        ("2020/03/02", 24),
        ("2020-03-02 08:30:00.0000000", 32.5),
        ("2020-03-02 08:30:00.0000000 +01:00", 31.5),
        ("2020-03-02 08:30:00 UTC", 32.5),
    ],
)
def test_dates_are_read_as_databases_write_them(tmp_path, written, hours):
    rows = [FIRST, {**FIRST, "measurement_datetime": written, "measurement_source_value": "it"}]
    cohort, _ = omop.read(folder(tmp_path / "cdm", person=[PERSON], measurement=rows))
    assert events(cohort) == [(0, "MEASUREMENT//first"), (hours, "MEASUREMENT//it")]


def test_one_column_may_spell_its_dates_in_several_ways(tmp_path):
    spelt = ["2020-03-01", "2020-3-2", "20200303", "2020-03-04T01:00:00+01:00"]
    rows = [{**FIRST, "measurement_date": day} for day in spelt]
    cohort, _ = omop.read(folder(tmp_path / "cdm", person=[PERSON], measurement=rows))
    assert [hours for hours, _ in events(cohort)] == [0, 24, 48, 72]


def test_a_date_that_may_be_two_days_is_an_error(tmp_path):
    rows = [{**FIRST, "measurement_date": "03/04/2020"}]
    root = folder(tmp_path / "cdm", person=[PERSON], measurement=rows)
    with pytest.raises(ArtifactError, match=r"'measurement_date'.*03/04/2020.*20201231"):
        omop.read(root)


def test_whole_numbers_of_parquet_are_dates_not_microseconds(tmp_path):
    root = folder(tmp_path / "cdm", person=[PERSON])
    rows = [{**FIRST, "measurement_date": day} for day in (20200301, 20200302)]
    pq.write_table(pa.Table.from_pylist(rows), root / "measurement.parquet")
    assert [hours for hours, _ in events(omop.read(root)[0])] == [0, 24]


@pytest.mark.parametrize("word", ["NULL", "NaT", "NA", ""])
def test_words_for_no_value_are_no_dates_and_no_numbers(tmp_path, word):
    root = folder(tmp_path / "cdm", person=[PERSON])
    row = {**FIRST, "measurement_datetime": word, "value_as_number": word, "unit_concept_id": word}
    with (root / "measurement.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(row), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerow(row)
    cohort, _ = omop.read(root)
    assert events(cohort) == [(0, "MEASUREMENT//first")]
    assert cohort["events"].payload.frame["value"].isna().all()


def test_the_first_of_two_deaths_counts(tmp_path):
    dead = [{"person_id": 1, "death_date": day} for day in ("2020-03-05", "2020-03-02")]
    cohort, notes = omop.read(
        folder(tmp_path / "cdm", person=[PERSON], measurement=[FIRST], death=dead)
    )
    assert events(cohort)[1:] == [(pytest.approx(48, abs=0.01), "MEDS_DEATH")]
    assert notes == ["Second deaths of a person, not read: 1."]


def persons(root, *rows, **tables):
    """The subjects and notes of these persons, each with one record in 2020."""
    people = [{**PERSON, **row, "person_id": i + 1} for i, row in enumerate(rows)]
    first = [{**FIRST, "person_id": p["person_id"], "measurement_id": None} for p in people]
    cohort, notes = omop.read(folder(root, person=people, measurement=first, **tables))
    return cohort.subjects, notes


def test_race_and_ethnicity_may_be_concepts_alone(tmp_path):
    found, _ = persons(
        tmp_path / "cdm",
        {"race_concept_id": 8515, "ethnicity_concept_id": 38003564},
        {"race_concept_id": 38003615, "ethnicity_concept_id": 0, "race_source_value": " "},
        {"race_concept_id": 0, "race_source_value": "asian"},
    )
    assert found["race"].tolist() == ["Asian", "38003615", "asian"]
    assert found["ethnicity"].tolist() == ["Not Hispanic or Latino", None, None]


def test_concepts_of_persons_come_back(tmp_path):
    rows = [
        {"person_id": 1, "race_concept_id": 8657, "ethnicity_concept_id": 38003563},
        {"person_id": 2, "race_concept_id": 8557, "ethnicity_concept_id": 38003564},
    ]
    people = [{**PERSON, **row} for row in rows]
    first = [{**FIRST, "person_id": p["person_id"]} for p in people]
    cohort, _ = omop.read(folder(tmp_path / "cdm", person=people, measurement=first))
    omop.write(cohort, tmp_path / "out")
    found = pd.read_csv(tmp_path / "out" / "person.csv").set_index("person_source_value")
    for row in rows:
        assert found.loc[row["person_id"], list(row)[1:]].tolist() == list(row.values())[1:]


def test_sex_is_the_concept_where_it_is_known(tmp_path):
    found, _ = persons(
        tmp_path / "cdm",
        {"gender_concept_id": 8532, "gender_source_value": "weiblich"},
        {"gender_concept_id": 8507},
        {"gender_concept_id": 0, "gender_source_value": "divers"},
    )
    assert found["sex"].tolist() == ["F", "M", "divers"]


def test_a_vocabulary_names_races(tmp_path):
    concept = {
        "concept_id": 38003615, "concept_name": "Middle Eastern", "vocabulary_id": "Race",
        "concept_code": "5.02",
    }  # fmt: skip
    found, _ = persons(tmp_path / "cdm", {"race_concept_id": 38003615}, concept=[concept])
    assert found["race"].tolist() == ["Middle Eastern"]


def test_nobody_has_an_age_before_birth(tmp_path):
    found, notes = persons(
        tmp_path / "cdm",
        {"year_of_birth": 2020, "month_of_birth": None, "day_of_birth": None},
        {"year_of_birth": 2050},
        {"year_of_birth": 2000},
    )
    assert found["age"].round(1).tolist() == [0, pytest.approx(float("nan"), nan_ok=True), 20]
    assert notes == ["Born a year or more after their first record, age left empty: 1."]


def test_files_of_other_names_say_what_to_do(tmp_path):
    root = folder(tmp_path / "cdm", person=[PERSON], measurement_1=[FIRST])
    with pytest.raises(CohortError, match=r"No person has a record.*measurement\.csv"):
        omop.read(root)


def test_rows_of_one_key_are_counted(tmp_path):
    root = folder(tmp_path / "cdm", person=[PERSON], measurement=[FIRST, FIRST])
    cohort, notes = omop.read(root)
    assert len(events(cohort)) == 2
    assert notes == [
        "measurement repeats its key in 1 rows; they are read as records of their own."
    ]


def test_a_field_that_is_not_read_may_hold_anything(tmp_path):
    root = folder(
        tmp_path / "cdm",
        person=[{**PERSON, "provider_id": "P-7"}],
        measurement=[{**FIRST, "provider_id": "P-7"}],
        cdm_source=[{"cdm_source_name": "site", "cdm_release_date": "31/12/2024"}],
    )
    assert events(omop.read(root)[0]) == [(0, "MEASUREMENT//first")]


def test_a_person_table_of_the_model_makes_an_omop_folder(tmp_path):
    assert omop.is_folder(folder(tmp_path / "cdm", person=[PERSON]))
    assert not omop.is_folder(folder(tmp_path / "people", person=[{"person_id": 1, "age": 3}]))
    assert not omop.is_folder(folder(tmp_path / "patients", patients=[PERSON]))


def test_a_vocabulary_of_tabs_may_have_bare_quotes(tmp_path):
    row = {**FIRST, "measurement_source_value": "", "measurement_concept_id": 3}
    root = folder(tmp_path / "cdm", person=[PERSON], measurement=[row])
    (root / "CONCEPT.csv").write_text(
        "concept_id\tconcept_name\tvocabulary_id\tconcept_code\n"
        '1\t"Q" wave\tLOINC\t7\n2\t"half\tLOINC\t8\n3\thalf"\tLOINC\t9\n'
    )
    assert events(omop.read(root)[0]) == [(0, "MEASUREMENT//LOINC//9")]


def test_endings_may_be_in_capitals(tmp_path):
    root = folder(tmp_path / "cdm", person=[PERSON])
    pq.write_table(pa.Table.from_pylist([FIRST]), root / "MEASUREMENT.PARQUET")
    assert events(omop.read(root)[0]) == [(0, "MEASUREMENT//first")]
