"""The contract of the metrics of series, on toy series; each metric's own maths stands beside."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Schema
from casemix.core.metric import EvalData, Goal, View
from casemix.core.samples import Samples
from casemix.errors import EvaluationError
from casemix.modalities.timeseries.embed import NAME, SeriesEmbedder
from casemix.modalities.timeseries.generators.marginals import Marginals
from casemix.modalities.timeseries.metrics import METRICS
from casemix.modalities.timeseries.toy import toy

N = 300
BY_NAME = {metric.name: metric for metric in METRICS}
NEW = (
    "time_marginal_similarity",
    "joint_energy_distance",
    "power_spectrum_distance",
    "observation_distance",
    "informative_observation_difference",
    "discriminative_score",
    "predictive_score",
    "context_fid",
)
#: Independent cells have the right values at each time: nothing for a metric of single cells.
SEES_MARGINALS = [name for name in BY_NAME if name != "time_marginal_similarity"]


@pytest.fixture(scope="module")
def embedder():
    return SeriesEmbedder.fit(toy(N, seed=0)[0].payload, seed=0)


@pytest.fixture(scope="module")
def real(embedder):
    """Training, held-out and fresh series."""
    return [view(toy(N, seed=seed)[0], embedder) for seed in range(3)]


@pytest.fixture(scope="module")
def fresh(real):
    """Each metric's score of fresh real series."""
    return {name: score(name, *real) for name in BY_NAME}


@pytest.fixture(scope="module")
def control(embedder):
    data, given = toy(N, seed=0)
    return view(Marginals().fit(data, given, seed=0).generate(given, seed=1), embedder)


def view(data: Samples, embedder: SeriesEmbedder) -> View:
    empty = pd.DataFrame(index=data.index.index)
    return View(data, empty, embedder.embed(data.payload), empty)


def score(name, train, holdout, synthetic):
    data = EvalData(train, holdout, synthetic, Schema(), Schema(), NAME)
    return BY_NAME[name].compute(data, 0)


def badness(name, train, holdout, synthetic):
    sign = -1 if BY_NAME[name].goal is Goal.MAXIMISE else 1
    return sign * score(name, train, holdout, synthetic).value


def test_every_metric_is_held_to_the_contract():
    old = {"autocorrelation_difference", "channel_correlation_difference", "gap_difference"}
    assert set(BY_NAME) == {*NEW, *old, "broken_orders"}
    assert all(not m.control for n, m in BY_NAME.items() if n not in SEES_MARGINALS)


@pytest.mark.parametrize("name", SEES_MARGINALS)
def test_a_metric_fails_its_control(name, real, fresh, control):
    good, bad = fresh[name], score(name, *real[:2], control)
    assert good.value < 0.5 * bad.value
    if name != "broken_orders":
        assert good.interval[0] <= good.value <= good.interval[1] < bad.value


@pytest.mark.parametrize("name", SEES_MARGINALS)
def test_a_metric_worsens_as_more_series_are_the_controls(name, real, control):
    found = []
    for share in (0.0, 0.3, 0.6, 1.0):
        cut = int(share * N)
        mixed = Samples.concat(
            [control.samples.take(np.arange(cut)), real[2].samples.take(np.arange(cut, N))]
        )
        vectors = np.concatenate([control.embedding[:cut], real[2].embedding[cut:]])
        empty = pd.DataFrame(index=mixed.index.index)
        found.append(badness(name, *real[:2], View(mixed, empty, vectors, empty)))
    assert found == sorted(found)
    assert found[0] < found[-1]


def test_time_marginals_worsen_as_values_shift_and_as_cells_go_missing(real):
    series = real[2].samples.payload
    shifted = [series.like(series.values + by) for by in (0, 3, 6, 12)]
    keep = np.random.default_rng(0).random(series.values.shape)
    thinned = [series.like(np.where(keep < k, series.values, np.nan)) for k in (1, 0.8, 0.6, 0.3)]
    for corrupted in (shifted, thinned):
        found = [
            score("time_marginal_similarity", *real[:2], with_payload(real[2], s)).value
            for s in corrupted
        ]
        assert found == sorted(found, reverse=True)
        assert found[0] > 0.9 > found[-1]


def with_payload(whole: View, payload) -> View:
    return replace(whole, samples=replace(whole.samples, payload=payload))


@pytest.mark.parametrize("name", NEW)
def test_the_order_of_rows_does_not_matter(name, real, fresh):
    rng = np.random.default_rng(0)
    shuffled = [one.take(rng.permutation(N)) for one in real]
    expected, found = fresh[name], score(name, *shuffled)
    assert found.value == pytest.approx(expected.value, rel=1e-6, abs=1e-9)
    assert found.interval == pytest.approx(expected.interval, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", NEW)
def test_a_score_says_how_many_subjects_it_saw_and_through_what(name, fresh):
    found = fresh[name]
    assert found.n == N
    extractor = {"discriminative_score": "MiniRocket", "context_fid": NAME}.get(
        name, "500 subjects"
    )
    assert extractor in found.note


def test_context_fid_is_measured_through_a_second_encoder(real, fresh, control):
    good, bad = fresh["context_fid"], score("context_fid", *real[:2], control)
    second = [found.details["second_encoder"] for found in (good, bad)]
    assert second[0]["name"].startswith("normal scores of ")
    assert second[0]["interval"][0] <= second[0]["value"] <= second[0]["interval"][1]
    assert 3 * second[0]["value"] < second[1]["value"]


@pytest.mark.parametrize("name", NEW)
def test_too_few_subjects_are_an_error_that_says_so(name, real):
    few = [real[0], real[1], real[2].take(np.arange(5))]
    with pytest.raises(EvaluationError, match=r"too few subjects.*5 subjects.*at least 10"):
        score(name, *few)


@pytest.mark.parametrize("name", NEW)
def test_series_on_other_times_are_an_error(name, real):
    shorter = real[2].samples.payload
    shorter = shorter.like(shorter.values[:, :20])
    with pytest.raises(EvaluationError, match="other times or channels"):
        score(name, *real[:2], with_payload(real[2], shorter))


@pytest.mark.parametrize("name", NEW)
def test_a_channel_that_nobody_records_is_no_obstacle(name, real):
    empty = []
    for one in real:
        values = one.samples.payload.values.copy()
        values[:, :, 2] = np.nan
        empty.append(with_payload(one, one.samples.payload.like(values)))
    found = score(name, *empty)
    assert np.isfinite([found.value, *found.interval]).all()
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize("name", NEW)
def test_a_channel_that_synthetic_series_lack_is_worse_and_no_obstacle(name, real, fresh, embedder):
    values = real[2].samples.payload.values.copy()
    values[:, :, 2] = np.nan
    payload = real[2].samples.payload.like(values)
    lacking = replace(with_payload(real[2], payload), embedding=embedder.embed(payload))
    found = score(name, *real[:2], lacking)
    sign = -1 if BY_NAME[name].goal is Goal.MAXIMISE else 1
    assert sign * found.value > sign * fresh[name].value
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize("name", NEW)
def test_series_of_a_single_time_are_judged_or_refused(name, real):
    one_time = [
        with_payload(one, one.samples.payload.like(one.samples.payload.values[:, 5:6]))
        for one in real
    ]
    refused = ("power_spectrum_distance", "informative_observation_difference", "predictive_score")
    if name in refused:
        with pytest.raises(EvaluationError, match=r"too short|foretold|forecast"):
            score(name, *one_time)
    else:
        assert np.isfinite(score(name, *one_time).value)


@pytest.mark.parametrize("name", NEW)
def test_series_of_a_subject_stay_together_under_the_bootstrap(name, real):
    """Four copies of each series under one subject: more rows, no more certainty."""
    some = [one.take(np.arange(100)) for one in real]
    twins = [repeated(one, 4) for one in some[1:]]
    single, repeated_score = score(name, *some), score(name, some[0], *twins)
    assert repeated_score.n == 100
    if name == "discriminative_score":  # folds that share a subject tell its copies apart
        assert repeated_score.interval[0] < 0.1
        return
    widths = [s.interval[1] - s.interval[0] for s in (single, repeated_score)]
    assert widths[1] > 0.6 * widths[0]


def repeated(whole: View, times: int) -> View:
    rows = np.tile(np.arange(len(whole)), times)
    index = whole.samples.index.iloc[rows].copy()
    index.index = pd.Index([f"{i}-{k}" for k, i in enumerate(index.index)])
    samples = Samples("timeseries", index, whole.samples.payload.take(rows))
    empty = pd.DataFrame(index=index.index)
    return View(samples, empty, whole.embedding[rows], empty)
