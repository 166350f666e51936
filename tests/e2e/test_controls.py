"""Every metric fails the control that is meant for it, and passes fresh real records."""

from __future__ import annotations

import pytest

from casemix.evaluation.arms import Questions
from casemix.evaluation.protocol import evaluate
from casemix.recipes.phantom.cohort import phantom_cohort


@pytest.fixture(scope="module")
def judged():
    """A perfect generator: more patients of the same simulator."""
    parts = phantom_cohort(480, seed=5).split(
        {"train": 0.5, "holdout": 0.25, "fresh": 0.25}, seed=0
    )
    arms = (parts["train"], parts["holdout"], parts["fresh"])
    return evaluate(*arms, seed=0, questions=Questions(target="group"))


def scores(judged):
    for modality, found in judged["modalities"].items():
        for name, score in found["metrics"].items():
            yield modality, name, score


def worse(a, b, goal):
    return a < b if goal in ("maximise", "describe") else a > b


def test_every_metric_fails_its_control(judged):
    controlled = [found for found in scores(judged) if found[2]["control"]]
    assert len(controlled) > 30
    kept = [
        (modality, name, s["floor"], s["ceiling"], s["value"])
        for modality, name, s in controlled
        if not worse(s["floor"], s["ceiling"], s["goal"])
        or not worse(s["floor"], s["value"], s["goal"])
    ]
    assert not kept


@pytest.mark.parametrize("modality", ["imaging", "tabular", "text", "timeseries"])
def test_the_strong_metrics_fail_their_controls_by_far(judged, modality):
    metrics = judged["modalities"][modality]["metrics"]
    c2st, membership = metrics["c2st_auc"], metrics["membership_auc"]
    assert c2st["floor"] > c2st["interval"][1]
    assert membership["floor"] > membership["interval"][1]
    assert metrics["nearest_record_ratio"]["floor"] < 0.01


@pytest.mark.parametrize("modality", ["imaging", "tabular", "text", "timeseries"])
def test_fresh_patients_look_real_and_betray_no_one(judged, modality):
    metrics = judged["modalities"][modality]["metrics"]
    for name in ("c2st_auc", "one_nn_accuracy", "membership_auc"):
        low, high = metrics[name]["interval"]
        assert low - 0.05 < 0.5 < high + 0.05, name
        assert metrics[name]["ceiling"] == pytest.approx(0.5, abs=0.15), name


def test_fresh_patients_are_linked_and_shuffled_ones_are_not(judged):
    pairs = [p for p in judged["linkage"]["pairs"] if "patient_link" in p]
    assert len(pairs) == 6
    for pair in pairs:
        assert pair["patient_link"]["interval"][0] > 0
        low, high = pair["control"]["shuffled"]["patient_link"]["interval"]
        assert low <= 0.0 <= high


def test_no_verdict_fails_fresh_patients(judged):
    assert [v["name"] for v in judged["verdicts"] if v["verdict"] == "fail"] == []


def test_fresh_patients_hardly_contradict_themselves(judged):
    found = judged["contradictions"]
    words = [a["words"] for a in found["agreements"]]
    assert "imaging.lv_ejection_fraction against text.lvef" in words
    assert "age against text.year-old" in words
    assert found["patients"]["synthetic"]["rate"] < 0.1
