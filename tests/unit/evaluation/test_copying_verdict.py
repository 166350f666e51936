"""Short histories coincide by chance: the verdict on copying must tell that from copies."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Schema
from casemix.core.metric import EvalData, View
from casemix.core.samples import Samples
from casemix.evaluation.battery import SHARED
from casemix.evaluation.verdicts import verdicts
from casemix.modalities.events.data import Events
from casemix.modalities.events.embed import EventEmbedder
from casemix.recipes.phantom.events import phantom_events

POOL, KNOWN = 3400, 400  # patients; known to the embedder
NEAREST = next(metric for metric in SHARED if metric.name == "nearest_record_ratio")


@pytest.fixture(scope="module")
def pool() -> View:
    """The first three visits of simulated patients: 2 to 3 % coincide with another's."""
    samples = phantom_events(POOL, seed=0)["events"]
    frame = samples.payload.frame
    visit = frame.groupby("item")["hours"].rank("dense")
    short = Events(frame[visit <= 3].reset_index(drop=True), POOL, samples.payload.units)
    embedder = EventEmbedder.fit(short.take(np.arange(KNOWN)))
    nothing = pd.DataFrame(index=samples.index.index)
    return View(
        Samples("events", samples.index, short), nothing, embedder.embed(short), context=nothing
    )


def arms(seed: int, n: int) -> list[np.ndarray]:
    """Return the rows of three arms of different patients."""
    order = KNOWN + np.random.default_rng(seed).permutation(POOL - KNOWN)
    return [order[k * n : (k + 1) * n] for k in range(3)]


def judged(train: View, holdout: View, synthetic: View) -> tuple[str, dict[str, float]]:
    """Return the verdict on copying and the details of its score."""
    data = EvalData(train, holdout, synthetic, Schema(()), Schema(()), "histories")
    score = NEAREST.measure(data, seed=0).to_json()
    result = {
        "modalities": {"events": {"metrics": {NEAREST.name: score}}},
        "linkage": {"pairs": []},
    }
    found = {v["name"]: v["verdict"] for v in verdicts(result)}
    return found["events: not copied"], score["details"]


def test_held_out_histories_are_not_accused(pool):
    found, plain = [], []
    for seed in range(60):
        train, holdout, fresh = (pool.take(rows) for rows in arms(seed, 500))
        verdict, details = judged(train, holdout, fresh)
        found.append(verdict)
        plain.append(details["exact_copies"] > 0.005)
    counts = Counter(found)
    assert np.mean(plain) > 0.95  # counting copies alone would accuse nearly all of them
    assert counts["fail"] <= 1, counts
    assert counts["pass"] >= 50, counts


def test_two_percent_of_copies_among_short_histories_are_caught(pool):
    found = []
    for seed in range(6):
        train, holdout, fresh = arms(seed, 1000)
        fresh[:20] = train[:20]
        found.append(judged(*(pool.take(rows) for rows in (train, holdout, fresh)))[0])
    assert Counter(found)["fail"] >= 5, found
    assert "pass" not in found


def people(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 10))


def view(values: np.ndarray, name: str) -> View:
    """Return records of one subject each, of which nothing but the vectors is known."""
    n = len(values)
    ids = [f"{name}-{k:04d}" for k in range(n)]
    index = pd.DataFrame({"subject_id": ids, "time": 0.0}, index=pd.Index(ids, dtype=object))
    events = Events(pd.DataFrame({"item": [], "hours": [], "code": [], "value": []}), n)
    nothing = pd.DataFrame(index=index.index)
    return View(Samples("events", index, events), nothing, values, context=nothing)


@pytest.mark.parametrize(("copied", "verdict"), [(5, "pass"), (6, "fail")])
def test_where_nobody_coincides_half_a_percent_of_copies_is_the_limit(copied, verdict):
    train, holdout, made = people(1000, 0), people(1000, 1), people(1000, 2)
    made[:copied] = train[:copied]
    found = judged(view(train, "t"), view(holdout, "h"), view(made, "m"))
    assert found[0] == verdict


def test_an_excess_within_chance_is_a_caution():
    train, holdout, made = people(100, 0), people(100, 1), people(100, 2)
    holdout[:1], made[:3] = train[:1], train[:3]
    found = judged(view(train, "t"), view(holdout, "h"), view(made, "m"))
    assert found[0] == "caution"


def most_equal(equal: int, seed: int) -> np.ndarray:
    """The first records have nothing to tell them apart."""
    values = people(200, seed)
    values[:equal] = 0.0
    return values


def test_without_a_ratio_nobody_is_cleared_and_only_copies_accuse():
    """Most held-out records equal a training record: their median distance is 0."""
    train, holdout, made = (most_equal(120, seed) for seed in range(3))
    verdict, details = judged(view(train, "t"), view(holdout, "h"), view(made, "m"))
    assert verdict == "undefined"
    assert details["usual_copies"] == details["exact_copies"] == 0.6
    made[120:160] = train[120:160]
    assert judged(view(train, "t"), view(holdout, "h"), view(made, "m"))[0] == "fail"


def test_more_of_what_many_people_have_is_a_caution():
    train, holdout, made = (most_equal(equal, seed) for seed, equal in enumerate((60, 60, 95)))
    verdict, details = judged(view(train, "t"), view(holdout, "h"), view(made, "m"))
    assert verdict == "caution"
    assert details["unique_copies"] == 0.0
    assert details["copies_p_value"] < 0.01
