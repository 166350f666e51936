from __future__ import annotations

import pandas as pd
import pytest
from rich.console import Console

from casemix.errors import MappingError
from casemix.recipes import sources
from casemix.recipes.catalogue import Request
from casemix.recipes.ehr_tables import read_folder
from casemix.recipes.formats import write
from casemix.recipes.phantom.cohort import phantom_cohort


@pytest.fixture
def hospital(tmp_path):
    root = tmp_path / "hospital"
    root.mkdir()
    people = [f"p{i}" for i in range(12)]
    pd.DataFrame({"patient_id": people, "sex": ["F", "M"] * 6}).to_csv(
        root / "patients.csv", index=False
    )
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(range(24), unit="D")
    visits = pd.DataFrame(
        {
            "visit_id": range(100, 124),
            "patient_id": people * 2,
            "start": days,
            "ward": ["a", "b", "c"] * 8,
        }
    )
    visits.to_csv(root / "visits.csv", index=False)
    return root


def read(source: str, root, tmp_path):
    return sources.read_source(source, root, keys_to=tmp_path / "keys.yaml")


def test_linked_tables_are_read_by_inferred_keys_and_again_by_them(hospital, tmp_path):
    cohort, notes = read("linked-tables", hospital, tmp_path)
    assert cohort.modalities == ("relational",)
    assert any("keys were inferred" in note for note in notes)
    again, _ = read(str(tmp_path / "keys.yaml"), hospital, tmp_path)
    assert len(again) == len(cohort) == 12


def test_a_format_is_read_by_its_name(tmp_path):
    write("csv", phantom_cohort(5, seed=0), tmp_path / "out")
    cohort, _ = read("csv", tmp_path / "out", tmp_path)
    assert len(cohort) == 5
    assert cohort.provenance == "phantom"


def test_an_unknown_source_says_what_there_is(tmp_path):
    with pytest.raises(MappingError, match="Did you mean 'mimic3_demo_tables'"):
        read("mimic3_demo_table", tmp_path, tmp_path)
    assert "synthea_sample" in sources.shipped_keys()


def test_a_table_that_is_none_is_an_error_with_its_name(hospital, tmp_path):
    (hospital / "patients.csv").write_text("patient_id\n1\n2,3,4\n")
    with pytest.raises(MappingError, match=r"patients\.csv cannot be read"):
        read("linked-tables", hospital, tmp_path)


@pytest.mark.parametrize("mapping", ["", "omop"])
def test_a_folder_of_omop_tables_needs_no_mapping(tmp_path, mapping):
    write("omop", phantom_cohort(5, seed=0), tmp_path / "cdm")
    request = Request(tmp_path / "run", tmp_path / "cdm", None, 0, True, {"mapping": mapping})
    cohort = read_folder(tmp_path / "cdm", request, Console(stderr=True))
    assert cohort.modalities == ("events", "text")
    assert not (tmp_path / "run" / "keys.yaml").exists()
