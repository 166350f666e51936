"""MEDS in and out keeps codes, times and values; dates and ids that come out are no one's."""

from __future__ import annotations

import json
from dataclasses import replace

import meds
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from casemix.core.cohort import Provenance
from casemix.errors import ArtifactError
from casemix.modalities.events.formats.meds import read_meds, write_meds
from casemix.modalities.events.formats.meds_out import FIRST_SYNTHETIC_ID
from casemix.recipes.phantom.events import phantom_events


def write_shard(root, rows, name="0"):
    columns = ["subject_id", "time", "code", "numeric_value"]
    frame = pd.DataFrame(rows, columns=columns)
    (root / "data").mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    schema = [pa.int64(), pa.timestamp("us"), pa.string(), pa.float32()]
    table = table.cast(pa.schema(list(zip(columns, schema, strict=True))))
    pq.write_table(table, root / "data" / f"{name}.parquet")


def day(text):
    return pd.Timestamp(text)


ROWS = [
    (7, None, "GENDER//F", None),
    (7, day("1950-01-01"), "MEDS_BIRTH", None),
    (7, day("2000-01-01"), "VISIT", None),
    (7, day("2000-01-02"), "LAB//50912//mg/dL", 1.25),
    (3, None, "GENDER//M", None),
    (3, day("2010-05-05"), "VISIT", None),
]


@pytest.fixture
def root(tmp_path):
    write_shard(tmp_path / "in", ROWS)
    return tmp_path / "in"


def test_birth_and_events_without_time_become_the_subject(root):
    cohort, notes = read_meds(root)
    assert cohort.subjects.loc["7"].tolist() == [50.0, "F"]
    assert np.isnan(cohort.subjects.loc["3", "age"])
    frame = cohort["events"].payload.frame
    assert frame["hours"].tolist() == [0.0, 0.0, 24.0]
    assert cohort["events"].payload.units == {"LAB//50912//mg/dL": "mg/dL"}
    assert notes == []


def test_a_cohort_survives_the_way_out_and_in(tmp_path):
    cohort = phantom_events(40, seed=3)
    write_meds(cohort, tmp_path / "out", seed=1)
    again, _ = read_meds(tmp_path / "out")
    first, second = cohort["events"].payload, again["events"].payload
    assert second.frame["code"].tolist() == first.frame["code"].tolist()
    assert np.allclose(second.frame["hours"], first.frame["hours"])
    assert np.allclose(second.frame["value"], first.frame["value"], rtol=1e-6, equal_nan=True)
    assert again.subjects["sex"].tolist() == cohort.subjects["sex"].tolist()
    assert np.allclose(again.subjects["age"], cohort.subjects["age"], atol=0.06)
    assert again.provenance == cohort.provenance == "phantom"


def test_what_is_written_passes_the_standards_own_schema(tmp_path):
    write_meds(phantom_events(10, seed=0), tmp_path / "out")
    for path in (tmp_path / "out" / "data").rglob("*.parquet"):
        meds.DataSchema.validate(pq.read_table(path))
    meds.CodeMetadataSchema.validate(pq.read_table(tmp_path / "out" / meds.code_metadata_filepath))
    about = json.loads((tmp_path / "out" / meds.dataset_metadata_filepath).read_text())
    assert "phantom" in about["dataset_name"]


def test_dates_and_ids_of_an_export_are_not_those_that_came_in(root, tmp_path):
    cohort, _ = read_meds(root)
    synthetic = replace(cohort, provenance=Provenance.SYNTHETIC)
    write_meds(synthetic, tmp_path / "out", seed=5)
    rows = pq.read_table(next((tmp_path / "out" / "data").rglob("*.parquet"))).to_pandas()
    assert rows["subject_id"].min() >= FIRST_SYNTHETIC_ID
    assert rows.loc[rows["code"] != "MEDS_BIRTH", "time"].dropna().dt.year.min() >= 2100


def test_splits_are_kept_apart(tmp_path):
    cohort = phantom_events(6, seed=0)
    held = {s: "held_out" for s in cohort.subjects.index[:2]}
    write_meds(cohort, tmp_path / "out", splits=held)
    assert len(read_meds(tmp_path / "out", split="held_out")[0]) == 2
    assert len(read_meds(tmp_path / "out", split="train")[0]) == 4


def test_a_folder_that_is_no_data_set_says_so(tmp_path):
    with pytest.raises(ArtifactError, match="not a MEDS data set"):
        read_meds(tmp_path)


def test_a_shard_without_codes_breaks_the_schema(root):
    path = root / "data" / "0.parquet"
    pq.write_table(pq.read_table(path).drop(["code"]), path)
    with pytest.raises(ArtifactError, match="breaks the MEDS schema"):
        read_meds(root)


def test_a_subject_in_two_shards_is_refused(root):
    write_shard(root, ROWS[:3], name="1")
    with pytest.raises(ArtifactError, match="in two shards"):
        read_meds(root)


def test_unsorted_rows_are_refused(tmp_path):
    write_shard(tmp_path, [ROWS[3], ROWS[2]])
    with pytest.raises(ArtifactError, match="not sorted by time"):
        read_meds(tmp_path)


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(FileExistsError):
        write_meds(phantom_events(3, seed=0), tmp_path / "out")
