from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Field, Kind, Schema
from casemix.core.metric import EvalData, View
from casemix.core.samples import Samples
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.dependence import autocorrelation, gaps
from casemix.modalities.timeseries.evaluators.standard import Standard
from casemix.modalities.timeseries.metrics import broken_orders
from casemix.modalities.timeseries.profile import Profiler
from casemix.modalities.timeseries.toy import toy


def samples(values: np.ndarray, step: float) -> Samples:
    channels = tuple(Field(f"c{i}", Kind.NUMERIC) for i in range(values.shape[2]))
    index = pd.DataFrame(
        {"subject_id": "s", "time": 0.0}, index=[f"r{i}" for i in range(len(values))]
    )
    return Samples("timeseries", index, Series(values, step, channels))


@pytest.mark.parametrize("shape", [(12, 1, 1), (12, 48, 6), (8, 1000, 12)])
def test_series_of_any_length_are_embedded(shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    values[0, :, 0] = np.nan
    data = samples(values, 3600.0)
    vectors = Standard().fit(data, seed=0).embed(data)
    assert vectors.shape[0] == shape[0]
    assert vectors.shape[1] <= 32
    assert np.isfinite(vectors).all()


def test_the_embedding_tells_rhythms_of_equal_level_and_spread_apart():
    rng = np.random.default_rng(0)
    slow = rng.random(60) < 0.5
    period = np.where(slow, 24.0, 6.0)[:, None]
    wave = np.sin(2 * np.pi * (np.arange(48) / period + rng.random((60, 1))))
    data = samples(wave[:, :, None].astype(np.float32), 3600.0)
    vectors = Standard().fit(data.take(range(40)), seed=0).embed(data)
    centres = [vectors[:40][slow[:40] == kind].mean(axis=0) for kind in (False, True)]
    distance = [np.linalg.norm(vectors[40:] - centre, axis=1) for centre in centres]
    assert ((distance[1] < distance[0]) == slow[40:]).mean() > 0.9


def test_fitting_leaves_numpys_random_state_alone():
    data, _ = toy(16)
    np.random.seed(7)
    expected = np.random.RandomState(7).random_sample(3)
    Standard().fit(data, seed=0).embed(data)
    assert np.array_equal(np.random.random_sample(3), expected)


def test_profiles_are_standard_normal_and_finite():
    data, _ = toy(200)
    scores = Profiler.fit(data.payload).scores(data.payload)
    assert np.isfinite(scores).all()
    assert np.abs(scores.mean(axis=0)).max() < 0.1
    assert np.abs(scores.std(axis=0) - 1).max() < 0.2


def view(data: Samples) -> View:
    empty = pd.DataFrame(index=data.index.index)
    return View(data, empty, np.zeros((len(data), 1)), empty)


def test_autocorrelation_of_an_ar1_series():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(50, 400, 1))
    for t in range(1, 400):
        noise[:, t] = 0.8 * noise[:, t - 1] + 0.6 * noise[:, t]
    assert autocorrelation(noise)[:, 0] == pytest.approx([0.8, 0.64, 0.41, 0.168, 0.028], abs=0.05)


def test_gap_rates_of_a_known_pattern():
    values = np.zeros((20, 40, 2))
    values[:, ::2] = np.nan  # every other time, both channels together
    assert gaps(values) == pytest.approx([0.5, 0.5, -1.0, -1.0, 1.0])
    assert np.isnan(gaps(np.zeros((20, 40, 2)))[2:]).all()


def test_without_an_order_there_is_nothing_to_break():
    one = samples(np.zeros((3, 4, 2)), 1.0)
    data = EvalData(view(one), view(one), view(one), Schema(), Schema(), "none")
    assert broken_orders(data, 0).value is None
