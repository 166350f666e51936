from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core.conditions import Conditions
from casemix.core.fields import Schema
from casemix.core.metric import EvalData, View
from casemix.modalities.imaging.evaluators.standard import Standard
from casemix.modalities.imaging.generators.copy_training import CopyTraining
from casemix.modalities.imaging.generators.marginals import Marginals
from casemix.modalities.imaging.toy import toy


def as_new(given):
    ids = pd.Index([f"new-{i}" for i in given.sample_ids])
    return Conditions(given.rows.assign(subject_id=list(ids)).set_axis(ids), given.schema)


@pytest.fixture(scope="module")
def arms():
    train, given = toy(96, seed=0)
    holdout, _ = toy(96, seed=1)
    again, _ = toy(96, seed=2)
    evaluator = Standard().fit(train, seed=0)

    def view(samples):
        nothing = pd.DataFrame(index=samples.index.index)
        return View(samples, evaluator.findings(samples), evaluator.embed(samples), nothing)

    def data(synthetic):
        return EvalData(
            view(train), view(holdout), view(synthetic), evaluator.findings_schema, Schema(), "test"
        )

    copies = CopyTraining().fit(train, given, seed=0).generate(as_new(given), seed=1)
    shuffled = Marginals().fit(train, given, seed=0).generate(as_new(given), seed=1)
    return {
        "train": train,
        "copy_training": copies,
        "real": data(again),
        "copy": data(copies),
        "marginals": data(shuffled),
        "metrics": {m.name: m for m in evaluator.metrics},
    }


def test_every_copy_is_a_training_picture(arms):
    known = {p.tobytes() for p in arms["train"].payload.pixels}
    assert all(p.tobytes() in known for p in arms["copy_training"].payload.pixels)


@pytest.mark.parametrize("name", ["spectrum_distance", "frechet_distance"])
def test_the_floor_fails_fidelity(arms, name):
    metric = arms["metrics"][name]
    real, floor = (metric.compute(arms[arm], 0) for arm in ("real", "marginals"))
    assert floor.value > 3 * real.value
    assert floor.interval[0] > real.interval[1]


def test_copies_fail_the_nearest_training_picture(arms):
    metric = arms["metrics"]["nearest_training_picture"]
    real, copies = (metric.compute(arms[arm], 0) for arm in ("real", "copy"))
    assert copies.value == 0
    assert real.value > 0.9


def test_marginals_keep_each_pixel_and_lose_the_rest(arms):
    made = arms["marginals"].synthetic.samples.payload.pixels.astype(float)
    train = arms["train"].payload.pixels.astype(float)
    assert np.abs(made.mean(axis=0) - train.mean(axis=0)).mean() < 5
    neighbours = np.corrcoef(made[:, 0, 8, 6], made[:, 0, 8, 7])[0, 1]
    assert abs(neighbours) < 0.3
