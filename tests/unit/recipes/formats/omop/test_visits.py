"""Visits of OMOP folders that other tools wrote, in and out."""

from __future__ import annotations

import pandas as pd
import pytest

from casemix.recipes.formats import omop

from .folders import FIRST, PERSON, VISIT, events, folder


def visits(root, rows):
    """What is read of these visits of a person, and the notes."""
    found = [{**VISIT, "visit_occurrence_id": i + 1, **row} for i, row in enumerate(rows)]
    cohort, notes = omop.read(
        folder(root, person=[PERSON], measurement=[FIRST], visit_occurrence=found)
    )
    return [code for _, code in events(cohort) if code.startswith("VISIT")], notes


def test_a_visit_number_is_not_its_kind(tmp_path):
    codes, notes = visits(
        tmp_path / "cdm", [{"visit_source_value": f"case-{i}"} for i in range(20)]
    )
    assert codes == ["VISIT_START//9202"] * 20
    assert any("20 values in 20 visits" in note for note in notes)


@pytest.mark.parametrize("kinds", [["ward A", "ward B"], ["ward A", "ward B"] * 20])
def test_kinds_of_visits_are_kept(tmp_path, kinds):
    codes, notes = visits(tmp_path / "cdm", [{"visit_source_value": kind} for kind in kinds])
    assert codes == [f"VISIT_START//{kind}" for kind in kinds]
    assert notes == []


def test_a_visit_of_no_known_kind_is_a_visit(tmp_path):
    row = {"visit_concept_id": 0, "visit_end_date": "2020-03-02", "visit_source_value": " "}
    codes, _ = visits(tmp_path / "cdm", [row])
    assert codes == ["VISIT_START", "VISIT_END"]


@pytest.mark.parametrize("field", ["discharge_to_source_value", "discharged_to_source_value"])
def test_versions_5_3_and_5_4_name_the_discharge_otherwise(tmp_path, field):
    codes, _ = visits(tmp_path / "cdm", [{"visit_end_date": "2020-03-03", field: "home"}])
    assert codes == ["VISIT_START//9202", "VISIT_END//home"]


def test_a_discharge_may_be_a_concept_alone(tmp_path):
    row = {"visit_end_date": "2020-03-03", "discharged_to_concept_id": 8536}
    assert visits(tmp_path / "cdm", [row])[0][-1] == "VISIT_END//8536"


def test_an_end_in_the_year_9999_is_none(tmp_path):
    codes, notes = visits(tmp_path / "cdm", [{"visit_end_date": "9999-12-31"}])
    assert codes == ["VISIT_START//9202"]
    assert notes == ["Without a date in the years 1800 to 2500: 1 records."]


def test_a_visit_does_not_end_before_it_begins(tmp_path):
    codes, notes = visits(tmp_path / "cdm", [{"visit_end_date": "2020-03-01"}])
    assert codes == ["VISIT_START//9202"]
    assert notes == ["Visits that end before they begin, end not read: 1."]


def written_visits(cohort, out):
    """The visits of an export, and how many days each lasts."""
    omop.write(cohort, out)
    dates = ["visit_start_date", "visit_end_date"]
    found = pd.read_csv(out / "visit_occurrence.csv", parse_dates=dates)
    return found, (found["visit_end_date"] - found["visit_start_date"]).dt.days


def test_visits_within_visits_keep_their_ends(tmp_path):
    days = [("02", "09", 9201), ("03", "03", 9202), ("05", "06", 9202)]
    rows = [
        {
            "visit_start_date": f"2020-03-{start}", "visit_end_date": f"2020-03-{end}",
            "visit_concept_id": kind, "visit_occurrence_id": kind + int(start), "person_id": 1,
        }
        for start, end, kind in days
    ]  # fmt: skip
    late = {**FIRST, "measurement_date": "2020-03-08"}
    cohort, _ = omop.read(
        folder(tmp_path / "cdm", person=[PERSON], visit_occurrence=rows, measurement=[late])
    )
    found, days = written_visits(cohort, tmp_path / "out")
    lies_in = pd.read_csv(tmp_path / "out" / "measurement.csv")["visit_occurrence_id"]
    assert (
        lies_in.tolist() == found["visit_occurrence_id"][found["visit_concept_id"] == 9201].tolist()
    )
    assert list(zip(found["visit_concept_id"], days, strict=True)) == [
        (9201, 7),
        (9202, 0),
        (9202, 1),
    ]


def test_an_end_of_another_name_closes_the_last_open_visit(tmp_path):
    ends = {
        "visit_concept_id": 9201,
        "visit_end_date": "2020-03-09",
        "discharged_to_source_value": "home",
    }
    cohort, _ = omop.read(
        folder(
            tmp_path / "cdm",
            person=[PERSON],
            visit_occurrence=[{**VISIT, **ends}, {**VISIT, "visit_start_date": "2020-03-04"}],
        )
    )
    found, days = written_visits(cohort, tmp_path / "out")
    assert days[found["discharged_to_source_value"] == "VISIT_END//home"].tolist() == [5]


def test_visits_of_the_models_own_kinds_go_out_with_their_concept(tmp_path):
    rows = [{"visit_concept_id": 9203}, {"visit_concept_id": 9202}, {"visit_source_value": "A"}]
    rows = [{**VISIT, **row, "visit_occurrence_id": i} for i, row in enumerate(rows)]
    codes = [
        {"concept_id": 9202, "vocabulary_id": "Visit", "concept_code": "OP"},
        {"concept_id": 1, "vocabulary_id": "LOINC", "concept_code": "2160-0"},
    ]
    cohort, _ = omop.read(
        folder(tmp_path / "cdm", person=[PERSON], visit_occurrence=rows, concept=codes)
    )
    omop.write(cohort, tmp_path / "out")
    found = pd.read_csv(tmp_path / "out" / "visit_occurrence.csv")
    kinds = dict(zip(found["visit_source_value"], found["visit_concept_id"], strict=True))
    assert kinds == {"VISIT_START//9203": 9203, "VISIT_START//Visit//OP": 9202, "VISIT_START//A": 0}
