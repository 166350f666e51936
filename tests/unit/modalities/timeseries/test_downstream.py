from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from casemix.core.downstream import Task
from casemix.core.fields import Field, Kind
from casemix.core.samples import Samples
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.downstream import DOWNSTREAM
from casemix.modalities.timeseries.toy import toy

MODELS = sorted(DOWNSTREAM)


def codes(given) -> np.ndarray:
    return (given.rows["group"] == "b").to_numpy().astype(int)


def test_the_models_are_those_that_the_page_names():
    assert MODELS == ["inception_time", "minirocket"]


@pytest.mark.parametrize("model", MODELS)
def test_it_learns_a_class_and_a_number_that_series_show(model):
    train, given = toy(80, seed=0)
    test, asked = toy(60, seed=1)
    found = DOWNSTREAM[model](train, codes(given), task=Task.CLASSIFICATION, seed=0)(test)
    assert found.shape == (60, 2)
    assert roc_auc_score(codes(asked), found[:, 1]) > 0.9
    severity = given.rows["severity"].to_numpy(dtype=float)
    guess = DOWNSTREAM[model](train, severity, task=Task.REGRESSION, seed=0)(test)
    truth = asked.rows["severity"].to_numpy(dtype=float)
    assert np.corrcoef(guess, truth)[0, 1] > 0.8


@pytest.mark.parametrize("model", MODELS)
def test_it_learns_nothing_from_shuffled_labels(model):
    train, given = toy(80, seed=0)
    test, asked = toy(60, seed=1)
    shuffled = np.random.default_rng(0).permutation(codes(given))
    found = DOWNSTREAM[model](train, shuffled, task=Task.CLASSIFICATION, seed=0)(test)
    assert roc_auc_score(codes(asked), found[:, 1]) < 0.8


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("times", [1, 501])
def test_series_of_any_length_with_a_channel_never_recorded_are_read(model, times):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(24, times, 2)).astype(np.float32)
    values[:, :, 1] = np.nan
    y = np.arange(24) % 2
    values[:, :, 0] += 4 * y[:, None]
    channels = tuple(Field(name, Kind.NUMERIC) for name in ("a", "b"))
    index = pd.DataFrame({"subject_id": "s", "time": 0.0}, index=[f"r{i}" for i in range(24)])
    samples = Samples("timeseries", index, Series(values, 1.0, channels))
    found = DOWNSTREAM[model](samples, y, task=Task.CLASSIFICATION, seed=0)(samples)
    assert roc_auc_score(y, found[:, 1]) > 0.9


def test_numpy_s_global_random_state_is_left_alone():
    train, given = toy(20, seed=0)
    before = np.random.get_state()[1].copy()
    DOWNSTREAM["minirocket"](train, codes(given), task=Task.CLASSIFICATION, seed=0)
    assert np.array_equal(before, np.random.get_state()[1])
