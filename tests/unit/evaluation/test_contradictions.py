from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from casemix.evaluation.arms import Trio, fitted_evaluator, views_of
from casemix.evaluation.contradictions import judge_contradictions
from casemix.modalities.text.data import Notes
from casemix.recipes.phantom.cohort import phantom_cohort


@pytest.fixture(scope="module")
def parts():
    whole = phantom_cohort(360, seed=11)
    some = replace(whole, samples={m: whole[m] for m in ("text", "tabular")})
    return some.split({"train": 0.5, "holdout": 0.25, "fresh": 0.25}, seed=0)


def judged(parts, texts):
    """Judge fresh patients whose notes are rewritten."""
    fresh = parts["fresh"]
    notes = replace(
        fresh["text"], payload=Notes(tuple(texts(t) for t in fresh["text"].payload.texts))
    )
    made = replace(fresh, samples={**fresh.samples, "text": notes})
    trio = Trio(parts["train"], parts["holdout"], made)
    views = {}
    for m in ("text", "tabular"):
        known = frozenset(parts["train"][m].subject_ids)
        views[m] = views_of(trio, m, fitted_evaluator(trio, m, known, 0), 0)
    return judge_contradictions(views, trio.parts(), seed=0)


def rates(found):
    return {a["words"]: a["synthetic"]["rate"] for a in found["agreements"]}


def test_fresh_notes_hardly_contradict_anything(parts):
    found = judged(parts, lambda text: text)
    assert found["patients"]["synthetic"]["rate"] < 0.15
    assert any(words.startswith("text: unit of") for words in rates(found))


def test_another_unit_is_a_contradiction(parts):
    found = rates(judged(parts, lambda text: text.replace("mmol/L", "mg/dL")))
    assert found["text: unit of potassium is mmol/l"] == pytest.approx(1.0)


def test_another_age_is_a_contradiction(parts):
    rng = np.random.default_rng(0)

    def older(text):
        import re

        return re.sub(r"\d+-year-old", f"{rng.integers(20, 95)}-year-old", text)

    found = rates(judged(parts, older))
    assert found["age against text.year-old"] > 0.8
