from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from casemix.core import registry
from casemix.core.fields import Schema
from casemix.core.metric import EvalData
from casemix.evaluation.battery import metrics_of
from casemix.evaluation.subgroup_scores import every_metric_by_subgroup, judge_subgroups
from casemix.testing import metric_cases

EVALUATOR = registry.load("evaluators", "tabular/standard")


@pytest.fixture(scope="module")
def data() -> EvalData:
    return metric_cases(EVALUATOR)["c2st_auc"].fresh


@pytest.fixture(scope="module")
def spoilt(data) -> EvalData:
    """Records of group b are made useless: their vectors lie far off."""
    view = data.synthetic
    is_b = (view.context["group"] == "b").to_numpy()
    return replace(data, synthetic=replace(view, embedding=view.embedding + 20 * is_b[:, None]))


def test_every_score_that_has_a_value_per_record_comes_by_group(data):
    found = judge_subgroups(data, seed=0)
    expected = {"c2st_auc", "one_nn_accuracy", "precision", "recall", "coverage", "membership_auc"}
    assert expected <= set(found["group"])
    assert "utility" in found["severity"]  # not by the target itself
    assert "utility" not in found["group"]
    for by_group in found["group"].values():
        assert set(by_group["groups"]) == {"a", "b"}
        assert all(g["interval"] is not None for g in by_group["groups"].values())


@pytest.mark.parametrize("score", ["c2st_auc", "one_nn_accuracy", "coverage", "recall"])
def test_the_group_that_is_served_worse_is_named(spoilt, score):
    disparity = judge_subgroups(spoilt, seed=0)["group"][score]["disparity"]
    assert disparity["worst"] == "b"
    assert disparity["p_value"] < 0.05


def test_alike_groups_show_no_disparity_beyond_chance(data):
    found = judge_subgroups(data, seed=0)["group"]
    assert sum(s["disparity"]["p_value"] < 0.01 for s in found.values()) <= 1


def test_every_other_metric_comes_by_group_when_asked_for(data):
    metrics = [m for m in metrics_of(EVALUATOR()) if m.name in ("mmd", "marginal_similarity")]
    found = every_metric_by_subgroup(data, metrics, seed=0)
    assert set(found["group"]) == {"mmd", "marginal_similarity"}
    values = [g["value"] for g in found["group"]["mmd"]["groups"].values()]
    assert np.isfinite(values).all()


def test_a_group_that_the_cohort_lacks_is_undefined_not_zero(data):
    only_a = np.flatnonzero((data.synthetic.context["group"] == "a").to_numpy())
    lame = replace(data, synthetic=data.synthetic.take(only_a))
    metrics = [m for m in metrics_of(EVALUATOR()) if m.name == "mmd"]
    found = every_metric_by_subgroup(lame, metrics, seed=0)["group"]["mmd"]
    assert found["groups"]["b"]["value"] is None
    assert found["disparity"] is None


def test_a_plain_table_has_the_groups_of_its_columns(data):
    plain = replace(data, context_schema=Schema(()))
    found = judge_subgroups(plain, seed=0)
    assert set(found) == {"tabular.stage", "tabular.ward", "tabular.treated"}
    assert set(found["tabular.treated"]["coverage"]["groups"]) == {"no", "yes"}
