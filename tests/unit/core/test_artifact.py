from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core import artifact
from casemix.errors import ArtifactError
from casemix.recipes.single import KIND, Single


@pytest.fixture
def model(tmp_path):
    with artifact.writing(tmp_path / "m", "text/demo") as draft:
        draft.json("config", {"width": 3})
        draft.arrays("weights", {"w": np.arange(6.0).reshape(2, 3).T})
        draft.frame("rows", pd.DataFrame({"a": [1, 2]}))
        (draft.folder("inner") / "note.txt").write_text("x")
    return tmp_path / "m"


def test_what_was_written_is_read(model):
    saved = artifact.reading(model, "text/demo")
    assert saved.json("config") == {"width": 3}
    assert np.array_equal(saved.arrays("weights")["w"], np.arange(6.0).reshape(2, 3).T)
    assert saved.frame("rows")["a"].tolist() == [1, 2]
    assert artifact.kind_of(model) == "text/demo"


@pytest.mark.parametrize("change", ["flip", "add", "remove"])
def test_any_change_is_noticed(model, change):
    victim = model / "inner" / "note.txt"
    if change == "flip":
        victim.write_text("y")
    elif change == "add":
        (model / "evil.pkl").write_bytes(b"")
    else:
        victim.unlink()
    with pytest.raises(ArtifactError, match=r"altered|not part|missing"):
        artifact.reading(model, "text/demo")


def test_another_kind_is_refused(model):
    with pytest.raises(ArtifactError, match=r"another model.*text/demo.*imaging/flow"):
        artifact.reading(model, "imaging/flow")


def test_trust_is_asked_for(tmp_path):
    with artifact.writing(tmp_path / "m", "x", trusted_only=True) as draft:
        draft.json("a", {})
    with pytest.raises(ArtifactError, match="trust=True"):
        artifact.reading(tmp_path / "m", "x")
    artifact.reading(tmp_path / "m", "x", trust=True)


def test_a_failed_write_leaves_the_old_model(model):
    with (
        pytest.raises(TypeError, match="JSON"),
        artifact.writing(model, "text/demo") as draft,
    ):
        draft.json("config", {"width": object()})
    assert artifact.reading(model, "text/demo").json("config") == {"width": 3}
    assert [p.name for p in model.parent.iterdir()] == ["m"]


def test_a_folder_of_something_else_is_not_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with (
        pytest.raises(ArtifactError, match="not a saved model"),
        artifact.writing(tmp_path, "x") as draft,
    ):
        draft.json("a", {})
    assert (tmp_path / "thesis.txt").exists()


def test_a_model_that_another_version_wrote_is_an_error_that_says_what_to_do(tmp_path):
    with artifact.writing(tmp_path / "m", KIND) as draft:
        with artifact.writing(draft.folder("generator"), "tabular/nade") as inner:
            inner.json("config", {"critic": {"trees": 3}, "train": {"steps": 3}})
        draft.json("single", {"generator": "tabular/nade", "schema": [], "columns": []})
    with pytest.raises(ArtifactError, match=r"does not read.*critic.*fit the model again"):
        Single.load(tmp_path / "m")
