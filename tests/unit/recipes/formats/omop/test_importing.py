from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest
from omop_cdm.regular import cdm54
from sqlalchemy import select
from sqlalchemy.orm import Session

from casemix.core.cohort import Provenance
from casemix.errors import ArtifactError, CohortError
from casemix.recipes import formats
from casemix.recipes.formats import omop
from casemix.recipes.phantom.events import phantom_events

from .cdm import database, models

DAY, TIME = datetime.date, datetime.datetime
EHR = 32817


COLUMNS = ["subject", "hours", "code", "value"]


def recorded(cohort):
    """Subject, hours, code and value of each event, as they are ordered."""
    events = cohort["events"]
    frame = events.payload.frame
    owner = events.subject_ids[frame["item"]]
    return frame.assign(subject=owner, hours=frame["hours"].round(6))[COLUMNS]


def stream(cohort):
    """The same, whatever the order of events at the same moment."""
    return recorded(cohort).sort_values(COLUMNS, ignore_index=True)


def test_codes_times_and_values_come_back(tmp_path):
    cohort = phantom_events(40, seed=0)
    formats.write("omop", cohort, tmp_path / "omop")
    found, notes = formats.read("omop", tmp_path / "omop")
    assert notes == []
    pd.testing.assert_frame_equal(stream(found), stream(cohort))
    assert found["events"].payload.units == cohort["events"].payload.units
    assert found.provenance is Provenance.PHANTOM
    context = found.subjects.loc[cohort.subjects.index, list(cohort.schema.names)]
    pd.testing.assert_frame_equal(context, cohort.subjects)


def test_awkward_records_come_back(cohort, tmp_path):
    omop.write(cohort, tmp_path / "omop")
    found, _ = omop.read(tmp_path / "omop")
    given = stream(cohort.of_subjects(found.subjects.index))
    tabular = [
        ("creatinine", 0.1 + 0.2),
        ("E11", np.nan),
        ("I21.0", np.nan),
        ('ward//b,"c"', np.nan),
    ]
    assert len(stream(found)) == len(given) + len(tabular)
    both = stream(found).merge(given, how="outer", indicator=True)
    more = both[both["_merge"] == "left_only"].set_index("code")["value"]
    assert not (both["_merge"] == "right_only").any()
    assert set(more.index) == {code for code, _ in tabular}
    assert more["creatinine"] == 0.1 + 0.2
    text = dict(zip(found["text"].subject_ids, found["text"].payload.texts, strict=True))
    assert text == dict(zip(cohort["text"].subject_ids, cohort["text"].payload.texts, strict=True))
    assert found["text"].index["note_type"].dropna().tolist() == ["letter"]
    assert found.subjects.loc["syn-0", "allergies"] == ["1", "2"]
    assert found.subjects.loc["syn-ü", "bmi"] == 33.25
    assert found.schema["bmi"].unit == "kg/m2"


def hospital():
    """The rows of a small hospital, as another tool would write them."""
    common = {"person_id": 7, "visit_occurrence_id": 1}
    return [
        cdm54.Person(
            person_id=7, gender_concept_id=8507, year_of_birth=1950, month_of_birth=3,
            day_of_birth=1, race_concept_id=0, ethnicity_concept_id=0, race_source_value="white",
            person_source_value="MRN 4711",
        ),
        cdm54.Person(
            person_id=8, gender_concept_id=8532, year_of_birth=1980, race_concept_id=0,
            ethnicity_concept_id=0,
        ),
        cdm54.Person(
            person_id=9, gender_concept_id=8532, year_of_birth=1990, race_concept_id=0,
            ethnicity_concept_id=0,
        ),
        cdm54.VisitOccurrence(
            visit_occurrence_id=1, person_id=7, visit_concept_id=9201,
            visit_start_date=DAY(2020, 3, 1), visit_start_datetime=TIME(2020, 3, 1, 8),
            visit_end_date=DAY(2020, 3, 3), visit_type_concept_id=EHR,
        ),
        cdm54.ConditionOccurrence(
            **common, condition_occurrence_id=1, condition_concept_id=312327,
            condition_start_date=DAY(2020, 3, 1), condition_start_datetime=TIME(2020, 3, 1, 9),
            condition_type_concept_id=EHR, condition_source_value="I21.0",
        ),
        cdm54.ConditionOccurrence(
            **common, condition_occurrence_id=2, condition_concept_id=0,
            condition_start_date=DAY(2020, 3, 1), condition_type_concept_id=EHR,
        ),
        cdm54.DrugExposure(
            **common, drug_exposure_id=1, drug_concept_id=1112807,
            drug_exposure_start_date=DAY(2020, 3, 2), drug_exposure_end_date=DAY(2020, 3, 3),
            drug_type_concept_id=EHR,
        ),
        cdm54.Measurement(
            **common, measurement_id=1, measurement_concept_id=3016723,
            measurement_date=DAY(2020, 3, 1), measurement_datetime=TIME(2020, 3, 1, 10, 30),
            measurement_type_concept_id=EHR, value_as_number=1.1, unit_source_value="mg/dL",
            measurement_source_value="CREA",
        ),
        cdm54.Measurement(
            **common, measurement_id=2, measurement_concept_id=3016723,
            measurement_date=DAY(2020, 3, 1), measurement_datetime=TIME(2020, 3, 1, 11),
            measurement_type_concept_id=EHR, value_as_number=97.0, unit_source_value="umol/L",
            measurement_source_value="CREA",
        ),
        cdm54.Observation(
            person_id=8, observation_id=1, observation_concept_id=4275495,
            observation_date=DAY(2021, 5, 5), observation_type_concept_id=EHR,
            observation_source_value="smoking", value_as_string="never",
        ),
        cdm54.Death(person_id=7, death_date=DAY(2020, 3, 3)),
        cdm54.Note(
            note_id=3, person_id=8, note_date=DAY(2021, 5, 6), note_type_concept_id=EHR,
            note_class_concept_id=0, note_text="No\nfinding.", encoding_concept_id=0,
            language_concept_id=0, note_source_value="letter",
        ),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def tables():
    """The hospital's tables, out of a database of the model."""
    engine = database()
    with Session(engine) as session:
        session.add_all(hospital())
        session.commit()
    with engine.connect() as connection:
        frames = {n: pd.read_sql(select(table), connection) for n, table in models().items()}
    return {name: frame for name, frame in frames.items() if len(frame)}


def dumped(tables, root, write):
    root.mkdir()
    for name, frame in tables.items():
        write(frame, root, name)
    return root


def csv(frame, root, name):
    frame.to_csv(root / f"{name}.csv", index=False)


def tsv(frame, root, name):
    """As Athena and many warehouses write: tabs, capitals, a byte order mark."""
    frame = frame.rename(columns=str.upper)
    frame.to_csv(root / f"{name.upper()}.tsv", index=False, sep="\t", encoding="utf-8-sig")


def parquet(frame, root, name):
    frame.to_parquet(root / f"{name}.parquet")


@pytest.mark.parametrize("write", [csv, tsv, parquet])
def test_tables_of_another_tool_become_a_cohort(tables, tmp_path, write):
    cohort, notes = omop.read(dumped(tables, tmp_path / "cdm", write))
    assert cohort.provenance is Provenance.REAL
    assert list(cohort.subjects.index) == ["7", "8"]
    assert cohort.subjects["sex"].tolist() == ["M", "F"]
    assert cohort.subjects["race"].tolist() == ["white", None]
    assert cohort.subjects["age"].round(1).tolist() == [70.0, 40.8]
    assert recorded(cohort)[["subject", "hours", "code"]].to_numpy().tolist() == [
        ["7", 0, "VISIT_START//9201"],
        ["7", 1, "CONDITION//I21.0"],
        ["7", 2.5, "MEASUREMENT//CREA//mg/dL"],
        ["7", 3, "MEASUREMENT//CREA//umol/L"],
        ["7", 16, "DRUG//1112807"],
        ["7", pytest.approx(63.999722), "VISIT_END//9201"],
        ["7", pytest.approx(63.999722), "MEDS_DEATH"],
        ["8", 0, "OBSERVATION//smoking//never"],
    ]
    assert cohort["events"].payload.units["MEASUREMENT//CREA//umol/L"] == "umol/L"
    assert cohort["text"].payload.texts == ("No\nfinding.",)
    assert cohort["text"].index["time"].tolist() == [24]
    assert notes == [
        "With neither source value nor concept: 1 records.",
        "Persons without any record, left out: 1.",
    ]


def test_visits_begin_before_and_end_after_what_is_at_the_same_moment(cohort, tmp_path):
    omop.write(cohort, tmp_path / "omop")
    events = recorded(omop.read(tmp_path / "omop")[0])
    codes = events[events["subject"] == "syn-0"]["code"].tolist()
    assert codes[1].startswith("HOSPITAL_ADMISSION")
    assert codes[-2] == "HOSPITAL_DISCHARGE//DIED"
    assert codes[-1].startswith("MEDS_DEATH//acute")
    assert codes[-1].endswith("arrest")


def test_a_vocabulary_gives_concepts_their_codes(tables, tmp_path):
    root = dumped(tables, tmp_path / "cdm", csv)
    (root / "concept.csv").write_text(
        "concept_id,vocabulary_id,concept_code\n1112807,RxNorm,1191\n9201,Visit,IP\n"
    )
    codes = set(stream(omop.read(root)[0])["code"])
    assert {"DRUG//RxNorm//1191", "VISIT_START//Visit//IP"} <= codes


def test_what_databases_write_for_no_value_is_understood(tables, tmp_path):
    root = dumped(tables, tmp_path / "cdm", csv)
    (root / "measurement.csv").write_text(
        "measurement_id,person_id,measurement_date,measurement_datetime,value_as_number,"
        "measurement_concept_id,measurement_source_value\n"
        "1,7,2020-03-01,2020-03-01T10:00:00Z,1.5,0,A\n"
        "2,7,0001-01-01,\\N,\\N,0,B\n"
        "3,7,2020-03-01,2020-03-01T11:00:00+01:00,\\N,0,C\n"
    )
    cohort, notes = omop.read(root)
    assert "Without a date in the years 1800 to 2500: 1 records." in notes
    events = stream(cohort)
    events = events[events["code"].str.startswith("MEASUREMENT")]
    assert events["code"].tolist() == ["MEASUREMENT//A", "MEASUREMENT//C"]
    assert events["hours"].tolist() == [2, 2]
    assert events["value"].isna().tolist() == [False, True]


def _rewritten(name, **cells):
    def harm(root):
        frame = pd.read_csv(root / f"{name}.csv", dtype=object)
        frame.assign(**cells).to_csv(root / f"{name}.csv", index=False)

    return harm


def _twice(root):
    text = (root / "person.csv").read_text()
    (root / "person.csv").write_text(text + text.splitlines()[-1] + "\n")


DAMAGE = {
    "no person table": (lambda root: (root / "person.csv").unlink(), "it has no person table"),
    "an orphan": (_rewritten("measurement", person_id="99"), "does not have"),
    "a date that is none": (
        _rewritten("measurement", measurement_date="01.03.2020"),
        "cell of 'measurement_date' does not fit",
    ),
    "an id that is none": (
        _rewritten("measurement", person_id="x"), "cell of 'person_id' does not fit",
    ),
    "a person twice": (_twice, "repeats a person_id"),
    "no column": (
        lambda root: (root / "death.csv").write_text("person_id\n7\n"),
        "lacks the column 'death_date'",
    ),
    "ragged": (lambda root: (root / "note.csv").write_text("a,b\n1\n"), "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_tables_are_errors(tables, tmp_path, name):
    root = dumped(tables, tmp_path / "cdm", csv)
    harm, message = DAMAGE[name]
    harm(root)
    with pytest.raises((ArtifactError, CohortError), match=message):
        omop.read(root)
