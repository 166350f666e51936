from __future__ import annotations

import json
import resource

import datasets
import numpy as np
import pandas as pd
import pytest

from casemix.core import registry
from casemix.core.cohort import Cohort, Provenance
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples
from casemix.errors import ArtifactError, CohortError, SchemaError

SCHEMA = Schema(
    (
        Field("age", Kind.NUMERIC, "a", range=(0, 120)),
        Field("sex", Kind.BINARY, levels=("F", "M")),
        Field("drugs", Kind.CODES, code_system="ATC"),
    )
)


def cohort(n: int = 12, **changes) -> Cohort:
    ids = [f"p{i}" for i in range(n)]
    subjects = pd.DataFrame(
        {
            "age": [40.0 + i if i % 3 else np.nan for i in range(n)],
            "sex": ["F" if i % 2 else "M" for i in range(n)],
            "drugs": [["C07AB02"] if i % 2 else [] for i in range(n)],
        },
        index=ids,
    )
    notes = registry.payload_type("text")(tuple(f"Note of {i}." for i in ids for _ in range(2)))
    index = pd.DataFrame(
        {
            "subject_id": [i for i in ids for _ in range(2)],
            "time": [0.0, 24.0] * n,
            "kind": ["admission", "discharge"] * n,
        },
        index=[f"{i}-{k}" for i in ids for k in range(2)],
    )
    kind = Schema((Field("kind", Kind.CATEGORICAL, levels=("admission", "discharge")),))
    samples = {"text": Samples("text", index, notes, kind)}
    return Cohort(**{"subjects": subjects, "schema": SCHEMA, "samples": samples, **changes})


def test_a_cohort_survives_its_folder_exactly(tmp_path):
    before = cohort(about={"name": "twelve"}, provenance=Provenance.PHANTOM)
    before.save(tmp_path / "c")
    after = Cohort.load(tmp_path / "c")
    pd.testing.assert_frame_equal(after.subjects, before.subjects)
    pd.testing.assert_frame_equal(after["text"].index, before["text"].index)
    assert after["text"].payload == before["text"].payload
    assert (after.schema, after.provenance, after.about) == (SCHEMA, "phantom", {"name": "twelve"})


def test_hugging_face_datasets_reads_each_config(tmp_path):
    cohort().save(tmp_path / "c")
    for config, rows in (("text", 24), ("subjects", 12)):
        found = datasets.load_dataset(
            str(tmp_path / "c"), config, split="train", cache_dir=str(tmp_path / "cache")
        )
        assert len(found) == rows
        assert "subject_id" in found.column_names


def test_conditions_join_subject_and_record_fields():
    given = cohort().conditions("text")
    assert given.schema.names == ("age", "sex", "drugs", "kind")
    assert given.rows.loc["p4-1", ["age", "sex", "kind"]].tolist() == [44.0, "M", "discharge"]
    assert given.sample_ids == list(cohort()["text"].sample_ids)


def test_a_split_keeps_subjects_whole_and_is_repeatable():
    parts = cohort().split({"train": 0.5, "holdout": 0.5}, seed=3)
    train, holdout = (set(parts[k].subjects.index) for k in ("train", "holdout"))
    assert train | holdout == set(cohort().subjects.index)
    assert not train & holdout
    assert set(parts["train"]["text"].subject_ids) == train
    again = cohort().split({"train": 0.5, "holdout": 0.5}, seed=3)
    assert again["train"].subjects.equals(parts["train"].subjects)


def test_a_split_keeps_groups_together():
    groups = pd.Series({f"p{i}": f"g{i // 4}" for i in range(12)})
    parts = cohort(groups=groups).split({"a": 0.5, "b": 0.5}, seed=0)
    sets = [set(groups[p.subjects.index]) for p in parts.values()]
    assert not sets[0] & sets[1]


def test_a_cohort_of_one_subject_cannot_be_split():
    with pytest.raises(CohortError, match="fewer subjects"):
        cohort(1).split({"train": 0.5, "holdout": 0.5}, seed=0)


def test_a_missing_column_is_named():
    with pytest.raises(SchemaError, match="Missing: age"):
        cohort(subjects=cohort().subjects.drop(columns="age"))


def test_repeated_subject_ids_are_refused():
    twice = pd.concat([cohort().subjects, cohort().subjects.iloc[:1]])
    with pytest.raises(CohortError, match=r"subject_id values are not unique.*p0"):
        cohort(subjects=twice)


def test_a_sample_of_an_unknown_subject_is_refused():
    with pytest.raises(CohortError, match="2 text samples belong to subjects"):
        cohort(subjects=cohort().subjects.iloc[1:])


def test_an_empty_modality_is_refused():
    empty = cohort()["text"].take([])
    with pytest.raises(CohortError, match="'text' has no samples"):
        cohort(samples={"text": empty})


def test_infinite_numbers_are_refused():
    with pytest.raises(SchemaError, match="infinite"):
        cohort(subjects=cohort().subjects.assign(age=np.inf))


def test_a_truncated_file_is_noticed(tmp_path):
    cohort().save(tmp_path / "c")
    shard = tmp_path / "c" / "text" / "data-00000.parquet"
    shard.write_bytes(shard.read_bytes()[:-50])
    with pytest.raises(ArtifactError, match="altered or damaged"):
        Cohort.load(tmp_path / "c")


def test_a_file_that_was_added_is_noticed(tmp_path):
    cohort().save(tmp_path / "c")
    (tmp_path / "c" / "text" / "data-00001.parquet").write_bytes(b"")
    with pytest.raises(ArtifactError, match="not part of what was saved"):
        Cohort.load(tmp_path / "c")


def test_an_unknown_format_is_refused(tmp_path):
    cohort().save(tmp_path / "c")
    about = json.loads((tmp_path / "c" / "cohort.json").read_text())
    (tmp_path / "c" / "cohort.json").write_text(json.dumps(about | {"format": 99}))
    with pytest.raises(ArtifactError, match="unknown format"):
        Cohort.load(tmp_path / "c")


def test_a_failed_save_leaves_nothing_behind(tmp_path, monkeypatch):
    broken = cohort()
    monkeypatch.setattr(type(broken["text"].payload), "to_table", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        broken.save(tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limit[1]))  # as if the disk were full
    try:
        with pytest.raises(OSError, match=r"large|space"):
            cohort(200).save(tmp_path / "c")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_not_overwritten(tmp_path):
    cohort().save(tmp_path / "c")
    with pytest.raises(FileExistsError, match="exists already"):
        cohort().save(tmp_path / "c")
    (tmp_path / "other").mkdir()
    with pytest.raises(ArtifactError, match="not a cohort folder"):
        cohort().save(tmp_path / "other", replace=True)
