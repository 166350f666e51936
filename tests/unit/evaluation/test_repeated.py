from __future__ import annotations

from dataclasses import replace

import pytest

from casemix.errors import EvaluationError
from casemix.evaluation.arms import Questions
from casemix.evaluation.protocol import evaluate
from casemix.evaluation.repeated import averaged
from casemix.recipes.phantom.cohort import phantom_cohort

LINKS = Questions(links_only=True)


@pytest.fixture(scope="module")
def results():
    whole = phantom_cohort(240, seed=3)
    some = replace(whole, samples={m: whole[m] for m in ("tabular", "timeseries")})
    parts = some.split({"train": 0.5, "holdout": 0.25, "fresh": 0.25}, seed=0)
    return [
        evaluate(parts["train"], parts["holdout"], parts["fresh"], seed=s, questions=LINKS)
        for s in (0, 1, 2)
    ]


def test_one_seed_is_left_as_it_is(results):
    alone = averaged(results[:1])
    assert alone["linkage"] == results[0]["linkage"]
    assert alone["protocol"]["seeds"] == [0]


def test_scores_are_means_with_the_seeds_in_the_details(results):
    merged = averaged(results)
    for number, pair in enumerate(merged["linkage"]["pairs"]):
        each = [r["linkage"]["pairs"][number]["critic_auc"] for r in results]
        score = pair["critic_auc"]
        assert score["value"] == pytest.approx(sum(s["value"] for s in each) / 3)
        assert score["ceiling"] == pytest.approx(sum(s["ceiling"] for s in each) / 3)
        assert score["details"]["seeds"] == [s["value"] for s in each]
        width = score["interval"][1] - score["interval"][0]
        assert width > 0.5 * min(s["interval"][1] - s["interval"][0] for s in each)


def test_a_score_that_one_seed_left_undefined_is_not_averaged(results):
    lame = [results[0], *results[1:]]
    broken = {**results[1]["linkage"]["pairs"][0]["critic_auc"], "value": None}
    pair = {**results[1]["linkage"]["pairs"][0], "critic_auc": broken}
    lame[1] = {**results[1], "linkage": {"pairs": [pair, *results[1]["linkage"]["pairs"][1:]]}}
    found = averaged(lame)["linkage"]["pairs"][0]["critic_auc"]
    assert found == results[0]["linkage"]["pairs"][0]["critic_auc"]


def test_evaluations_of_other_modalities_do_not_mix(results):
    other = {**results[1], "modalities": {"tabular": {"metrics": {}, "subgroups": {}}}}
    with pytest.raises(EvaluationError, match="cannot be averaged"):
        averaged([results[0], other])
    with pytest.raises(EvaluationError, match="cannot be averaged"):
        averaged([])
