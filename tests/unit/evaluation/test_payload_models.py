from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from casemix.core.downstream import Task
from casemix.core.fields import Field, Kind, Schema
from casemix.core.metric import EvalData, View
from casemix.core.samples import Samples
from casemix.errors import EvaluationError
from casemix.evaluation.payload_models import payload_utility, validation_scores
from casemix.evaluation.survival import c_index
from casemix.modalities.timeseries.downstream import minirocket
from casemix.modalities.timeseries.toy import toy

N = 80


def view(samples: Samples, context: pd.DataFrame) -> View:
    bare = pd.DataFrame(index=samples.index.index)
    return View(samples, bare, np.zeros((len(samples), 1), dtype=np.float32), context)


def part(seed: int, n: int = N) -> View:
    samples, given = toy(n, seed=seed)
    return view(samples, given.values)


@pytest.fixture
def data() -> EvalData:
    return EvalData(
        train=part(0),
        holdout=part(1),
        synthetic=part(2),
        findings_schema=Schema(),
        context_schema=toy(1)[1].schema,
        embedder="none",
        target="group",
        downstream={"minirocket": minirocket},
    )


def mislabelled(data: EvalData, share: float) -> EvalData:
    rng = np.random.default_rng(0)
    context = data.synthetic.context.copy()
    wrong = rng.random(len(context)) < share
    context.loc[wrong, "group"] = rng.permutation(context["group"][wrong].to_numpy())
    return replace(data, synthetic=view(data.synthetic.samples, context))


def test_real_records_train_a_good_model_and_wrong_labels_ever_worse_ones(data):
    values = [payload_utility(mislabelled(data, s), 0).value for s in (0.0, 0.5, 1.0)]
    assert values[0] > 0.9
    assert values[0] > values[1] > values[2]
    assert values[2] < 0.7


def test_models_size_and_interval_are_stated(data):
    found = payload_utility(data, 0)
    assert found.note == "mean of minirocket, trained on 80 records"
    assert found.interval[0] <= found.value <= found.interval[1]
    assert found.n == N
    assert found.details["models"]["minirocket"]["value"] == found.value


def test_several_models_are_averaged_in_every_arm(data):
    def guess(train: Samples, y: np.ndarray, *, task: Task, seed: int):
        return lambda samples: np.full((len(samples), 2), 0.5)

    alone = payload_utility(data, 0).value
    both = payload_utility(replace(data, downstream={"a": minirocket, "b": guess}), 0)
    assert both.value == pytest.approx((alone + 0.5) / 2)


def test_the_order_of_rows_changes_nothing(data):
    order = np.random.default_rng(0).permutation(N)
    other = replace(data, synthetic=data.synthetic.take(order), holdout=data.holdout.take(order))
    assert payload_utility(other, 0).value == pytest.approx(payload_utility(data, 0).value)


def test_a_class_that_training_lacks_scores_as_chance(data):
    one = np.flatnonzero(data.synthetic.context["group"] == "a")
    found = payload_utility(replace(data, synthetic=data.synthetic.take(one)), 0)
    assert found.value == 0.5


def test_numbers_are_ranked(data):
    found = payload_utility(replace(data, target="severity"), 0)
    assert found.details["measure"] == "spearman"
    assert found.value > 0.8


def test_too_few_labelled_records_are_an_error(data):
    few = replace(data, synthetic=data.synthetic.take(np.arange(5)))
    with pytest.raises(EvaluationError, match="at least 8"):
        payload_utility(few, 0)


def test_without_a_model_or_a_target_the_score_is_undefined(data):
    for bare in (replace(data, downstream={}), replace(data, target="")):
        found = payload_utility(bare, 0)
        assert found.value is None
        assert "no downstream model" in found.note


def test_validation_trains_on_members_once_for_all_arms(data):
    subjects = data.train.samples.subject_ids
    data = replace(data, embedded=frozenset(subjects[: N // 2]))
    fits = []

    def counted(train: Samples, y: np.ndarray, *, task: Task, seed: int):
        fits.append(set(train.subject_ids))
        return minirocket(train, y, task=task, seed=seed)

    data = replace(data, downstream={"m": counted})
    classes = np.array(["a", "b"])
    first = validation_scores(data, classes)["m"]
    arm = replace(data, synthetic=data.holdout)
    second = validation_scores(arm, classes)["m"]
    assert fits == [set(subjects[N // 2 :])]
    assert np.array_equal(first[1], second[1])
    assert np.array_equal(second[0], second[1])


def test_survival_is_a_risk_learnt_from_the_records(data):
    """The hazard rises with severity, which heart rate shows."""
    rng = np.random.default_rng(0)
    parts = {}
    for name in ("synthetic", "holdout"):
        old = getattr(data, name)
        time = rng.exponential(np.exp(-4 * old.context["severity"].to_numpy(dtype=float)))
        died = np.where(time < 0.5, "yes", "no").astype(object)
        context = old.context.assign(days=np.minimum(time, 0.5), died=died)
        parts[name] = view(old.samples, context)
    fields = (Field("days", Kind.NUMERIC, "d"), Field("died", Kind.BINARY, levels=("no", "yes")))
    data = replace(data, **parts, context_schema=Schema(fields), target="days", event="died")
    test = parts["holdout"].context
    oracle = c_index(test["severity"], test["days"], test["died"] == "yes")
    found = payload_utility(data, 0)
    assert found.details["measure"] == "c_index"
    assert oracle - 0.08 < found.value < oracle + 0.05
