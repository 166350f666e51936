"""The contract of metrics, run over every metric of every modality."""

from __future__ import annotations

import pytest

from casemix.core import registry
from casemix.evaluation.battery import metrics_of
from casemix.recipes.phantom.cohort import phantom_cohort
from casemix.testing import METRIC_CHECKS, metric_cases


def phantom_notes(n, *, seed=0):
    """Notes with more variety than the toy ones, which are nearly all alike."""
    cohort = phantom_cohort(n, seed=seed)
    given = cohort.conditions("text")
    names = ["sex", "group", "age", "diabetes", "smoker", "hypertension"]
    return cohort["text"], given.pick(names)


TOYS = {"text": phantom_notes}


ALL = [
    (name, metric.name)
    for name in registry.names("evaluators")
    for metric in metrics_of(registry.load("evaluators", name)())
]


def test_there_are_metrics_of_every_modality():
    assert {name.split("/")[0] for name, _ in ALL} == set(registry.modalities())
    assert len(ALL) > 60


@pytest.mark.parametrize("check", METRIC_CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize(("evaluator", "metric"), ALL, ids=["-".join(one) for one in ALL])
def test_metric(evaluator, metric, check):
    plugin = registry.load("evaluators", evaluator)
    check(metric_cases(plugin, TOYS.get(plugin.modality))[metric])
