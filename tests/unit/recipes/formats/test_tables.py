from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from casemix.core import registry
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples
from casemix.errors import ArtifactError, CasemixError, RunError
from casemix.modalities.relational.table_form import TableForm
from casemix.recipes import formats
from casemix.recipes.phantom.cohort import phantom_cohort


def same(found, given):
    pd.testing.assert_frame_equal(found.subjects, given.subjects)
    assert (found.schema, found.provenance, found.about) == (
        given.schema,
        given.provenance,
        given.about,
    )
    for modality, samples in found.samples.items():
        pd.testing.assert_frame_equal(samples.index, given[modality].index)
        assert samples.schema == given[modality].schema
        again, first = samples.payload.to_table(), given[modality].payload.to_table()
        assert again.equals(first, check_metadata=True), modality


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_a_cohort_comes_back_as_it_was(cohort, tmp_path, name):
    assert formats.write(name, cohort, tmp_path / "out") == []
    found, notes = formats.read(name, tmp_path / "out")
    assert (set(found.modalities), notes) == ({"events", "tabular", "text"}, [])
    same(found, cohort)
    pd.testing.assert_series_equal(found.groups, cohort.groups, check_names=False)


def test_series_come_back_and_pictures_are_said_to_stay_out(tmp_path):
    cohort = phantom_cohort(4, seed=0)
    notes = formats.write("csv", cohort, tmp_path / "out")
    assert notes == ["imaging: no plain table can hold it; 4 samples left out."]
    found, _ = formats.read("csv", tmp_path / "out")
    assert found.modalities == ("tabular", "text", "timeseries")
    same(found, cohort)
    series = pd.read_csv(tmp_path / "out" / "timeseries.csv")
    assert list(series.columns[:3]) == ["sample_id", "hours", "heart_rate"]
    assert series["hours"].iloc[:3].tolist() == [0, 1, 2]


def linked(cohort, child="labs"):
    """The cohort with two linked tables; the second subject has no row in either."""
    value = Schema((Field("value", Kind.NUMERIC, "mg"),))
    forms = (TableForm("stays", value), TableForm(child, value, "stays"))
    frames = {
        "stays": {"item": [0, 2], "row": [0, 0], "parent": [-1, -1], "value": [1.0, np.nan]},
        child: {"item": [2, 2], "row": [0, 1], "parent": [0, 0], "value": [5.0, 0.25]},
    }
    frames = {name: pd.DataFrame(cells) for name, cells in frames.items()}
    payload = registry.payload_type("relational")(forms, frames, 3)
    return cohort.with_samples(Samples("relational", cohort["events"].index, payload))


def test_linked_tables_come_back(cohort, tmp_path):
    cohort = linked(cohort)
    formats.write("csv", cohort, tmp_path / "out")
    found, _ = formats.read("csv", tmp_path / "out")
    same(found, cohort)
    assert "relational" in found.modalities
    assert len(pd.read_csv(tmp_path / "out" / "relational_labs.csv")) == 2


def test_fields_say_units_and_the_readme_says_synthetic(cohort, tmp_path):
    formats.write("csv", cohort, tmp_path / "out")
    fields = pd.read_csv(tmp_path / "out" / "fields.csv").set_index(["table", "column"])
    assert fields.loc[("tabular", "creatinine"), "unit"] == "mg/dL"
    assert fields.loc[("events", "LAB//50912//mg/dL"), "unit"] == "mg/dL"
    assert json.loads(fields.loc[("subjects", "stage"), "levels"]) == ["low", "high"]
    assert "SYNTHETIC DATA" in (tmp_path / "out" / "README.md").read_text()


def test_an_existing_folder_stays_as_it_is(cohort, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for name in ("csv", "omop"):
        with pytest.raises(RunError, match="exists already"):
            formats.write(name, cohort, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("child", ["../labs", "samples"])
def test_a_failed_export_leaves_nothing(cohort, tmp_path, child):
    with pytest.raises(ArtifactError, match="name"):
        formats.write("csv", linked(cohort, child), tmp_path / "out")
    assert not list(tmp_path.iterdir())


def _drop_column(out):
    frame = pd.read_csv(out / "tabular.csv").drop(columns="creatinine")
    frame.to_csv(out / "tabular.csv", index=False)


def _orphan(out):
    with (out / "events.csv").open("a") as stream:
        stream.write("nobody,1,LAB//1,2\n")


def _bad_json(out):
    about = json.loads((out / "casemix.json").read_text())
    (out / "casemix.json").write_text(json.dumps({**about, **{"modalities": ["events"]}}))


def _escape(out):
    about = json.loads((out / "casemix.json").read_text())
    about["modalities"] = {"../../etc/passwd": about["modalities"]["events"]}
    (out / "casemix.json").write_text(json.dumps(about))


DAMAGE = {
    "no casemix.json": (lambda out: (out / "casemix.json").unlink(), "it has no casemix.json"),
    "another format": (lambda out: (out / "casemix.json").write_text("{}"), "unknown format"),
    "no table": (lambda out: (out / "events.csv").unlink(), "lacks the table 'events'"),
    "two tables": (
        lambda out: pq.write_table(pa.table({"a": [1]}), out / "events.parquet"),
        "holds the table events twice",
    ),
    "no column": (_drop_column, "lacks the column 'creatinine'"),
    "ragged": (
        lambda out: (out / "text.csv").write_text("sample_id,subject_id,time\na,b\n"),
        "cannot be read",
    ),
    "empty": (lambda out: (out / "text.csv").write_bytes(b""), "cannot be read"),
    "not text": (lambda out: (out / "text.csv").write_bytes(b"\xff\xfe\x00"), "cannot be read"),
    "a word for a number": (
        lambda out: (out / "events.csv").write_text("sample_id,hours,code,value\nx,soon,A,1\n"),
        "a cell of 'hours' is no number",
    ),
    "an orphan": (_orphan, "belong to no sample"),
    "damaged json": (_bad_json, "casemix.json is damaged"),
    "a path for a name": (_escape, "cannot be the name of a file"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_or_foreign_folder_is_an_error(cohort, tmp_path, name):
    formats.write("csv", cohort, tmp_path / "out")
    harm, message = DAMAGE[name]
    harm(tmp_path / "out")
    with pytest.raises(ArtifactError, match=message):
        formats.read("csv", tmp_path / "out")


def test_a_cell_outside_its_range_is_an_error(cohort, tmp_path):
    formats.write("csv", cohort, tmp_path / "out")
    path = tmp_path / "out" / "tabular.csv"
    path.write_text(path.read_text().replace('b,""c""', "d"))
    with pytest.raises(CasemixError, match="Unknown level"):
        formats.read("csv", tmp_path / "out")


def test_event_streams_go_out_and_in_as_meds(cohort, tmp_path):
    notes = formats.write("meds", cohort, tmp_path / "meds")
    assert "Not event streams, left out: tabular, text." in notes
    found, _ = formats.read("meds", tmp_path / "meds")
    given = cohort["events"].payload.frame
    again = found["events"].payload.frame
    assert sorted(again["code"]) == sorted(given["code"])


def test_unknown_formats_and_folders_are_errors(cohort, tmp_path):
    with pytest.raises(RunError, match="Did you mean 'omop'"):
        formats.write("omap", cohort, tmp_path / "out")
    with pytest.raises(RunError, match="There is no folder"):
        formats.read("csv", tmp_path / "nowhere")
