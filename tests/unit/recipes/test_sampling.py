from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from casemix.core.cohort import Cohort
from casemix.core.progress import Progress
from casemix.errors import ConditionError
from casemix.recipes import sampling, single
from casemix.recipes.phantom.cohort import phantom_cohort


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    phantom_cohort(80, seed=0).save(folder / "cohort")
    fitted = single.fit(
        "tabular/trees",
        folder / "cohort",
        fields=None,
        seed=0,
        changes=["trees=3"],
        progress=Progress(),
    )
    fitted.save(folder / "labs")
    return folder


def make(models, out, model="labs", **asked) -> Cohort:
    counts = sampling.sample(
        models / model, sampling.Asked(**asked), out, seed=1, trust=False, progress=Progress()
    )
    made = Cohort.load(out)
    assert counts.subjects == len(made)
    return made


def test_an_expression_over_columns_is_met(models, tmp_path):
    made = make(models, tmp_path / "made", n=20, where="creatinine > 1.2 and sex == 'F'")
    assert (made["tabular"].payload.frame["creatinine"] > 1.2).all()
    assert (made.subjects["sex"] == "F").all()


def test_a_field_that_is_not_drawn_is_fixed_or_an_error(models, tmp_path):
    with pytest.raises(ConditionError, match="must be given"):
        make(models, tmp_path / "made", n=5, where="age > 70")
    assert not (tmp_path / "made").exists()


def test_the_number_of_parts_changes_no_patient(models, tmp_path):
    whole = make(models, tmp_path / "whole", n=13)
    parts = make(models, tmp_path / "parts", n=13, shards=4)
    assert len(list((tmp_path / "parts" / "tabular").iterdir())) == 4
    pd.testing.assert_frame_equal(parts["tabular"].payload.frame, whole["tabular"].payload.frame)
    assert parts.subjects.equals(whole.subjects)


def test_a_file_says_what_each_patient_must_be(models, tmp_path):
    file = tmp_path / "wanted.csv"
    file.write_text(
        "sex,age,creatinine,sodium\nF,60,>1.2,\nM,,..\n,71,1.0,135..140\n".replace(",..\n", ",,\n")
    )
    made = make(models, tmp_path / "made", given=file)
    rows = made["tabular"].payload.frame.set_axis(made["tabular"].subject_ids, axis=0)
    assert rows.loc["syn-000000", "creatinine"] > 1.2
    assert made.subjects.loc["syn-000001", "sex"] == "M"
    assert rows.loc["syn-000002", "creatinine"] == 1.0
    assert 135 <= rows.loc["syn-000002", "sodium"] <= 140


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sexx\nF\n", "Did you mean 'sex'"),
        ("sex\n", "no patient"),
        ("age\nold\n", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_met_is_an_error(models, tmp_path, text, message):
    (tmp_path / "wanted.csv").write_text(text)
    with pytest.raises(ConditionError, match=message):
        make(models, tmp_path / "made", given=tmp_path / "wanted.csv")


def test_rules_are_met_by_every_row(models, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "rules:\n  low_sodium:\n    kind: range\n    modality: tabular\n    field: sodium\n"
        "    limits: {mmol/L: [50, 137]}\n    source: choice\n"
    )
    free = make(models, tmp_path / "free", n=30)["tabular"].payload.frame["sodium"]
    ruled = make(models, tmp_path / "ruled", n=30, rules=rules)["tabular"].payload.frame["sodium"]
    assert (free > 137).any()
    assert not (ruled > 137).any()


def test_the_command_takes_the_file(models, tmp_path):
    (tmp_path / "wanted.csv").write_text("sex\nF\nF\n")
    command = ["sample", str(models / "labs"), "--given", str(tmp_path / "wanted.csv")]
    done = subprocess.run(
        [sys.executable, "-m", "casemix", *command, "--out", str(tmp_path / "made")],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "2 subjects; 2 tabular samples" in done.stdout
