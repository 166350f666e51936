from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc_csv
import pytest
from sqlalchemy import Date, DateTime, Integer, Numeric, String

from casemix.core.cohort import Cohort
from casemix.core.fields import Field, Kind, Schema
from casemix.errors import ArtifactError, CohortError
from casemix.recipes.formats import omop
from casemix.recipes.formats.omop import spec
from casemix.recipes.formats.omop.check import check_tables
from casemix.recipes.formats.omop.export import omop_tables
from casemix.recipes.phantom.cohort import phantom_cohort

from .cdm import broken_links, database, load, models, vocabulary

CONCEPTS = [0, 8507, 8532, 9201, 9203, 32037, 32678, 32817, 756265]


def files(out):
    """The files as PostgreSQL's COPY reads them: a bare empty cell is NULL, a quoted one is not."""
    options = pc_csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    parsing = pc_csv.ParseOptions(newlines_in_values=True)
    return {
        p.stem: pc_csv.read_csv(p, parse_options=parsing, convert_options=options).to_pandas(
            types_mapper=pd.ArrowDtype
        )
        for p in sorted(out.glob("*.csv"))
    }


@pytest.fixture(scope="module")
def written(cohort, tmp_path_factory):
    out = tmp_path_factory.mktemp("written") / "omop"
    notes = omop.write(cohort, out)
    return files(out), notes


def test_the_fields_are_those_of_the_model():
    """Names, order, types, lengths, required cells and references, as in the package omop-cdm."""
    kinds = {Integer: pa.int64(), Numeric: pa.float64(), Date: pa.date32(), String: pa.string()}
    assert len(spec.tables()) == 13
    for name, columns in spec.tables().items():
        theirs = list(models()[name].columns)
        assert [c.name for c in columns] == [c.name for c in theirs], name
        assert spec.keys(name) == tuple(models()[name].primary_key.columns.keys())
        for ours, column in zip(columns, theirs, strict=True):
            kind = next((k for t, k in kinds.items() if isinstance(column.type, t)), None)
            assert ours.type == (pa.timestamp("us") if isinstance(column.type, DateTime) else kind)
            assert ours.required != column.nullable
            if column.name != "source_code":  # 50 characters in the standard, 1000 in the package
                assert ours.length == (getattr(column.type, "length", None) or 0)
            links = [f.column.table.name for f in column.foreign_keys]
            assert ours.references == (links[0] if links else "")


@pytest.mark.parametrize("which", ["awkward", "phantom"])
def test_the_files_load_into_the_models_database(cohort, tmp_path, which):
    given = cohort if which == "awkward" else phantom_cohort(3, seed=0)
    omop.write(given, tmp_path / "omop")
    engine = database()
    vocabulary(engine, CONCEPTS)
    tables = files(tmp_path / "omop")
    for name, frame in tables.items():
        load(engine, name, frame)
    assert broken_links(engine) == []
    assert {"person", "measurement", "observation_period", "note", "cdm_source"} <= set(tables)


def test_the_database_would_notice_a_broken_link(cohort, tmp_path):
    omop.write(cohort, tmp_path / "omop")
    engine = database()
    vocabulary(engine, CONCEPTS)
    load(engine, "measurement", files(tmp_path / "omop")["measurement"])
    assert broken_links(engine)


def test_events_stand_in_the_tables_of_their_domains(written):
    tables, notes = written
    assert len(tables["person"]) == 2
    assert "Left out for want of an age: 1 subjects." in notes
    codes = {
        name: set(tables[name][f"{prefix}_source_value"])
        for name, prefix in (
            ("condition_occurrence", "condition"),
            ("procedure_occurrence", "procedure"),
            ("measurement", "measurement"),
        )
    }
    assert codes["condition_occurrence"] == {"DIAGNOSIS//ICD//10//I21.0", "I21.0", "E11"}
    assert codes["procedure_occurrence"] == {"PROCEDURE//ECG"}
    assert codes["measurement"] == {
        "LAB//50912//mg/dL", "Weight (Lbs)", "creatinine", "DIAGNOSIS//ICD//10//Ü99",
    }  # fmt: skip
    drug = tables["drug_exposure"].iloc[0]
    assert (len(drug["drug_source_value"]), drug["quantity"]) == (50, 40)
    whole = tables["source_to_concept_map"].set_index("source_code")["source_code_description"]
    assert len(whole[drug["drug_source_value"]]) > 50


def test_persons_have_sex_and_birth_and_the_dead_a_date(written):
    tables, _ = written
    person = tables["person"].set_index("person_source_value")
    assert person.loc["syn-0", "gender_concept_id"] == 8532
    assert person.loc["syn-ü", "gender_concept_id"] == 0
    index = tables["observation"].query("observation_source_value == 'SUBJECT//index_time'")
    index = index.set_index("person_id")["observation_date"].astype("datetime64[us]")
    born = person.set_index("person_id")["birth_datetime"].astype("datetime64[us]")
    years = (index - born).dt.total_seconds() / 86400 / 365.25
    assert np.allclose(sorted(years), [60.5, 71.0])
    dead = tables["death"].set_index("person_id")["death_date"].astype("datetime64[us]")
    assert (dead - index.loc[dead.index]).dt.days.tolist() == [2]


def test_visits_hold_the_events_within_them(written):
    tables, _ = written
    visits = tables["visit_occurrence"].set_index("visit_source_value")
    inpatient = visits.loc["HOSPITAL_ADMISSION//EW EMER.//EMERGENCY ROOM"]
    assert inpatient["visit_concept_id"] == 9201
    assert inpatient["discharged_to_source_value"] == "HOSPITAL_DISCHARGE//DIED"
    assert set(visits.index) == {inpatient.name, "VISIT//CLINIC", "HOSPITAL_ADMISSION//ELECTIVE"}
    (detail,) = tables["visit_detail"].to_dict("records")
    assert detail["visit_occurrence_id"] == inpatient["visit_occurrence_id"]
    assert detail["visit_detail_concept_id"] == 32037
    of = tables["measurement"].set_index("measurement_source_value")["visit_occurrence_id"]
    assert of["LAB//50912//mg/dL"] == inpatient["visit_occurrence_id"]
    assert of["Weight (Lbs)"] == visits.loc["VISIT//CLINIC", "visit_occurrence_id"]
    before = tables["condition_occurrence"].set_index("condition_source_value")
    assert pd.isna(before.loc["DIAGNOSIS//ICD//10//I21.0", "visit_occurrence_id"])


def test_a_stay_without_a_discharge_ends_with_the_last_event(written):
    tables, _ = written
    visits = tables["visit_occurrence"].set_index("visit_source_value")
    open_ended = visits.loc["HOSPITAL_ADMISSION//ELECTIVE"]
    assert pd.isna(open_ended["discharged_to_source_value"])
    hours = pd.Timestamp(open_ended["visit_end_datetime"]) - pd.Timestamp(
        open_ended["visit_start_datetime"]
    )
    assert hours == pd.Timedelta(hours=10)
    assert "ICU_DISCHARGE//unopened" in set(tables["observation"]["observation_source_value"])


def test_every_record_lies_in_the_observation_period(written):
    tables, _ = written
    period = tables["observation_period"].set_index("person_id")
    rows = tables["measurement"]
    start = period["observation_period_start_date"].loc[rows["person_id"]].to_numpy()
    assert (rows["measurement_date"].to_numpy() >= start).all()
    assert period["observation_period_end_date"].gt(period["observation_period_start_date"]).all()


def test_the_source_says_synthetic(written):
    tables, _ = written
    source = tables["cdm_source"].iloc[0]
    assert source["cdm_source_name"].startswith("SYNTHETIC DATA")
    assert re.fullmatch(r"casemix \S+ synthetic", source["cdm_etl_reference"])


def test_dates_follow_the_seed_and_the_subject_alone(cohort):
    def dates(given, seed):
        person = omop_tables(given, seed=seed)[0]["person"].to_pandas()
        return person.set_index("person_source_value")["birth_datetime"].to_dict()

    assert dates(cohort, 0) == dates(cohort, 0)
    alone = dates(cohort.of_subjects(["syn-ü"]), 0)
    assert alone.items() <= dates(cohort, 0).items()
    assert dates(cohort, 1)["syn-0"] != dates(cohort, 0)["syn-0"]


@pytest.mark.parametrize(
    ("column", "change", "message"),
    [
        ("person_id", lambda cells: [*cells[:-1], 99], "names rows that do not exist"),
        ("measurement_id", lambda cells: [1] * len(cells), "is repeated"),
        ("measurement_date", lambda cells: [None, *cells[1:]], "are empty"),
        ("unit_source_value", lambda cells: ["m" * 51, *cells[1:]], "is too long"),
    ],
)
def test_tables_that_break_the_model_are_not_written(cohort, column, change, message):
    tables, _ = omop_tables(cohort, seed=0)
    whole = tables["measurement"]
    cells = pa.array(change(whole[column].to_pylist()), type=whole.schema.field(column).type)
    tables["measurement"] = whole.set_column(
        whole.column_names.index(column), whole.schema.field(column), cells
    )
    with pytest.raises(ArtifactError, match=message):
        check_tables(tables)


def test_a_cohort_of_subjects_alone_is_enough(cohort, tmp_path):
    bare = Cohort(cohort.subjects[["age", "sex"]], cohort.schema.pick(["age", "sex"]))
    omop.write(bare, tmp_path / "omop")
    found, _ = omop.read(tmp_path / "omop")
    assert (found.modalities, found.subjects.loc["syn-0", "age"]) == ((), 60.5)


def test_a_cohort_without_ages_says_what_to_do(cohort, tmp_path):
    ageless = Cohort(cohort.subjects[["bmi"]], Schema((Field("bmi", Kind.NUMERIC),)))
    with pytest.raises(CohortError, match="export to csv"):
        omop.write(ageless, tmp_path / "omop")
    assert not list(tmp_path.iterdir())
