"""The discriminative score and the trap of recorded resolution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from casemix.core.fields import Schema
from casemix.core.metric import EvalData, View
from casemix.core.samples import Samples
from casemix.modalities.timeseries.arms import arm
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.discriminator import affordable, discriminative_score, stretched
from casemix.modalities.timeseries.toy import toy

N = 200


def view(data: Samples) -> View:
    empty = pd.DataFrame(index=data.index.index)
    return View(data, empty, np.zeros((len(data), 1)), empty)


def eval_data(change) -> EvalData:
    """Train, holdout and fresh series of whole numbers, each changed in its own way."""
    parts = []
    for name, seed in (("train", 0), ("holdout", 1), ("synthetic", 2)):
        data = toy(N, seed=seed)[0]
        plain = tuple(replace(f, range=None) for f in data.payload.channels)
        values = change(data.payload.values, name)
        payload = Series(values, data.payload.step_seconds, plain)
        parts.append(view(Samples(data.modality, data.index, payload)))
    return EvalData(*parts, Schema(), Schema(), "none")


def test_unrounded_values_saturate_the_raw_score_and_not_the_headline():
    def change(values, name):
        coarse = np.rint(values / 8)  # a step is large beside the spread, as in oxygen saturation
        noise = np.random.default_rng(0).uniform(-0.4, 0.4, size=values.shape)
        return coarse + noise if name == "synthetic" else coarse

    found = discriminative_score(eval_data(change), 0)
    assert found.details["raw_values"]["score"] > 0.3
    assert found.details["one_resolution"]["score"] == found.value < 0.1
    assert found.details["resolution"] == {
        "heart_rate": 1.0, "systolic_bp": 1.0, "diastolic_bp": 1.0,
    }  # fmt: skip


def test_coarser_synthetic_values_make_both_arms_coarse():
    def change(values, name):
        return np.rint(values / 4) * 4 if name == "synthetic" else values

    found = discriminative_score(eval_data(change), 0)
    assert found.details["resolution"]["heart_rate"] == 4.0
    assert found.value < 0.1 < found.details["raw_values"]["score"]


def test_values_on_the_same_grid_are_judged_once():
    found = discriminative_score(eval_data(lambda values, _: values), 0)
    assert found.details["raw_values"] == found.details["one_resolution"]
    assert found.value < 0.1


def test_long_series_are_judged_on_their_middle_and_by_fewer_subjects():
    data = toy(20, seed=0)[0]
    values = np.tile(data.payload.values, (1, 30, 1))  # 720 steps
    long = view(Samples(data.modality, data.index, data.payload.like(values)))
    middle = stretched(arm(long, seed=0)).values
    ordered = np.argsort(np.asarray(data.sample_ids).astype(str), kind="stable")
    assert np.array_equal(middle, values[ordered, 232:488], equal_nan=True)
    assert affordable(long) == 500
    wide = data.payload.values.shape[2]
    assert 500 * 256 * wide <= 2**19
