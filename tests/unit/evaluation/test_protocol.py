from __future__ import annotations

from dataclasses import replace

import pytest

from casemix.errors import EncoderError, EvaluationError
from casemix.evaluation.arms import Questions
from casemix.evaluation.protocol import evaluate
from casemix.recipes.phantom.cohort import phantom_cohort


@pytest.fixture(scope="module")
def arms():
    whole = phantom_cohort(240, seed=4)
    some = replace(whole, samples={"tabular": whole["tabular"]})
    parts = some.split({"train": 0.5, "holdout": 0.25, "fresh": 0.25}, seed=0)
    return parts["train"], parts["holdout"], parts["fresh"]


def test_a_column_of_the_table_may_be_the_target_by_its_bare_name(arms):
    found = evaluate(*arms, seed=0, questions=Questions(target="beta_blocker"))
    utility = found["modalities"]["tabular"]["metrics"]["utility"]
    assert utility["value"] is not None
    assert utility["details"]["target"] == "tabular.beta_blocker"


def test_an_unknown_target_is_an_error_that_names_the_nearest(arms):
    with pytest.raises(EvaluationError, match=r"no field 'grup' to predict.*group"):
        evaluate(*arms, seed=0, questions=Questions(target="grup"))


def test_an_encoder_of_a_modality_that_is_not_judged_is_an_error(arms):
    for modality in ("text", "tabular"):  # not there; there, but no metric reads an encoder
        with pytest.raises(EvaluationError, match="not judged, or reads none"):
            evaluate(*arms, seed=0, questions=Questions(encoders={modality: "somewhere"}))


def test_survival_needs_a_time_and_an_event(arms):
    with pytest.raises(EvaluationError, match="numeric time as target"):
        evaluate(*arms, seed=0, questions=Questions(target="group", event="smoker"))


def test_the_uses_follow_from_the_verdicts(arms):
    found = evaluate(*arms, seed=0)
    assert {use["outcome"] for use in found["uses"]} <= {"pass", "caution", "fail", "undefined"}
    joining = next(u for u in found["uses"] if u["use"].startswith("Developing"))
    assert joining["why"] == ["link: not measured"]


def test_an_encoder_that_cannot_be_loaded_ends_the_evaluation(tmp_path):
    whole = phantom_cohort(160, seed=4)
    some = replace(whole, samples={"text": whole["text"]})
    parts = some.split({"train": 0.5, "holdout": 0.25, "fresh": 0.25}, seed=0)
    asked = Questions(encoders={"text": str(tmp_path / "none")})
    with pytest.raises(EncoderError, match="cannot be loaded"):
        evaluate(parts["train"], parts["holdout"], parts["fresh"], seed=0, questions=asked)
