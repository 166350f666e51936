"""Uses of a cohort of tables whose target has a known dependence on the findings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Field, Kind, Schema
from casemix.core.metric import EvalData, View
from casemix.core.samples import Samples
from casemix.errors import EvaluationError
from casemix.evaluation.survival import c_index
from casemix.evaluation.targets import check_survival, known, labelled, target_values
from casemix.evaluation.uses import augmentation_gain, trained_on_synthetic, validation_error

COLUMNS = [f"tabular.x{k}" for k in range(5)]
FINDINGS = Schema(tuple(Field(name, Kind.NUMERIC) for name in COLUMNS))
CONTEXT = Schema(
    (
        Field("days", Kind.NUMERIC, "d"),
        Field("died", Kind.BINARY, levels=("no", "yes")),
        Field("ill", Kind.BINARY, levels=("no", "yes")),
    )
)


class Rows:
    """A payload that only counts."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def take(self, positions: np.ndarray) -> Rows:
        return Rows(len(positions))


def ward(n: int, seed: int) -> View:
    """Hazard exp(x0 - x1); about a third censored."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5))
    event, censoring = 10 * rng.exponential(np.exp(x[:, 1] - x[:, 0])), 30 * rng.exponential(size=n)
    ids = pd.Index([f"{seed}-{k:03d}" for k in range(n)], dtype=object)
    context = pd.DataFrame(
        {
            "days": np.minimum(event, censoring),
            "died": np.where(event <= censoring, "yes", "no").astype(object),
            "ill": np.where(x[:, 0] + rng.normal(size=n) > 0, "yes", "no").astype(object),
        },
        index=ids,
    )
    index = pd.DataFrame({"subject_id": ids.to_numpy(), "time": 0.0}, index=ids)
    findings = pd.DataFrame(x, ids, COLUMNS)
    return View(Samples("tabular", index, Rows(n)), findings, x[:, :1].astype("f4"), context)


@pytest.fixture
def data() -> EvalData:
    train = ward(200, 0)
    return EvalData(
        train=train,
        holdout=ward(150, 1),
        synthetic=ward(150, 2),
        findings_schema=FINDINGS,
        context_schema=CONTEXT,
        embedder="none",
        target="days",
        embedded=frozenset(train.samples.subject_ids[:100]),
        event="died",
    )


def shuffled(data: EvalData, share: float) -> EvalData:
    """A share of the synthetic records gets the follow-up of others."""
    rng = np.random.default_rng(0)
    context = data.synthetic.context.copy()
    rows = np.flatnonzero(rng.random(len(context)) < share)
    context.iloc[rows] = context.iloc[rng.permutation(rows)].to_numpy()
    return replace(data, synthetic=replace(data.synthetic, context=context))


def test_survival_utility_is_near_the_true_hazard_and_falls_with_shuffled_follow_up(data):
    test = data.holdout
    risk = test.findings[COLUMNS[0]] - test.findings[COLUMNS[1]]
    oracle = c_index(risk, test.context["days"], test.context["died"] == "yes")
    scores = [trained_on_synthetic(shuffled(data, s), 0) for s in (0.0, 0.6, 1.0)]
    assert scores[0].value == pytest.approx(oracle, abs=0.03)
    assert scores[0].value > scores[1].value > scores[2].value
    assert scores[2].value < 0.65
    assert scores[0].details == {
        "measure": "c_index",
        "target": "days",
        "event": "died",
        "model": "ridge",
    }


def test_survival_augments_and_validates(data):
    gain = augmentation_gain(data, 0)
    assert gain.details["measure"] == "c_index"
    first, *_, last = gain.details["curve"]
    assert first["gain"]["value"] > last["gain"]["value"]  # ten records against a hundred
    assert first["gain"]["interval"][0] > 0
    error = validation_error(data, 0)
    assert error.value < 0.06
    assert error.details["models"]["weak_ridge"]["real"] > 0.7
    assert validation_error(shuffled(data, 1.0), 0).value > error.value + 0.05


def test_the_curve_has_all_shares_with_intervals(data):
    curve = augmentation_gain(replace(data, target="ill", event=""), 0).details["curve"]
    assert [p["share"] for p in curve] == [0.1, 0.25, 0.5, 1.0]
    assert [p["records"] for p in curve] == [10, 25, 50, 100]
    assert [p["multiple"] for p in curve] == [15, 6, 3, 1.5]  # of 150 synthetic records
    assert {p["model"] for p in curve} == {"ridge"}
    for point in curve:
        for part in ("real", "augmented", "gain"):
            low, high = point[part]["interval"]
            assert low <= point[part]["value"] <= high


@pytest.mark.parametrize("score", [trained_on_synthetic, augmentation_gain, validation_error])
@pytest.mark.parametrize(("target", "event"), [("ill", ""), ("days", ""), ("days", "died")])
def test_the_order_of_rows_changes_nothing(data, score, target, event):
    data = replace(data, target=target, event=event)
    rng = np.random.default_rng(0)
    other = replace(
        data,
        train=data.train.take(rng.permutation(200)),
        synthetic=data.synthetic.take(rng.permutation(150)),
        holdout=data.holdout.take(rng.permutation(150)),
    )
    assert score(other, 0).value == pytest.approx(score(data, 0).value, abs=1e-9)


def test_records_without_time_or_event_take_no_part(data):
    context = data.holdout.context.copy()
    context.iloc[0, 0], context.iloc[1, 1] = np.nan, None
    view = replace(data.holdout, context=context)
    assert known(data, view).sum() == 148
    (part,) = labelled(data, view)
    assert len(part.y) == 148


def test_the_last_level_is_the_event(data):
    target = target_values(data, data.holdout)
    assert target["event"].tolist() == (data.holdout.context["died"] == "yes").tolist()


def test_a_target_among_the_findings_is_hidden_from_the_models(data):
    own = replace(data, target=COLUMNS[0], event="")
    (part,) = labelled(own, own.holdout)
    assert np.asarray(part.x).shape == (150, 4)
    assert abs(trained_on_synthetic(own, 0).value) < 0.25


@pytest.mark.parametrize(
    ("target", "event", "message"),
    [
        ("days", "dies", "no field 'dies'.*'died'"),
        ("ill", "died", "'ill' is binary"),
        ("days", "days", "'days' is numeric"),
    ],
)
def test_an_event_that_does_not_fit_is_an_error(target, event, message):
    check_survival(CONTEXT, "days", "died")
    with pytest.raises(EvaluationError, match=message):
        check_survival(CONTEXT, target, event)
