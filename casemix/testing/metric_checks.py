"""What every metric must do: one function per promise of the contract.

The cases are toy records: real ones in the synthetic place (a perfect generator), the control that
the metric must fail, and mixtures of the two.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from casemix.core import registry
from casemix.core.conditions import Conditions
from casemix.core.evaluator import Evaluator
from casemix.core.fields import LEVELLED
from casemix.core.metric import EvalData, Goal, Metric, Score, View
from casemix.core.samples import Samples
from casemix.errors import EvaluationError
from casemix.evaluation.battery import metrics_of
from casemix.testing.generator_checks import Toy

_N = 96  # subjects per arm
_SEED = 3
_LADDER = (0.0, 0.5, 1.0)  # shares of the control's records
_SLACK = 0.2  # of the way from fresh records to the control, for chance at this size
_GRAIN = 0.005  # of the bounds' width: differences below it mean nothing
_FEW = 3  # subjects


@dataclass(frozen=True)
class MetricCase:
    """A metric and what it is computed on.

    Args:
        metric: the metric.
        fresh: real records in the synthetic place.
        control: the arm that the metric must fail, None without one.
    """

    metric: Metric
    fresh: EvalData
    control: EvalData | None

    def score(self, data: EvalData) -> Score:
        """Return the metric's score; an error that it states leaves it undefined."""
        try:
            return self.metric.measure(data, _SEED)
        except EvaluationError as error:
            return Score(None, note=str(error))

    def badness(self, score: Score) -> float:
        """Return the value turned so that larger is worse."""
        assert score.value is not None, score.note
        return -score.value if self.metric.goal in (Goal.MAXIMISE, Goal.DESCRIBE) else score.value


def metric_cases(plugin: type[Evaluator], toy: Toy | None = None) -> dict[str, MetricCase]:
    """Return a case per metric of an evaluator's modality, by name; fitted once per class."""
    fresh, controls = _arms(plugin, toy)
    evaluator = plugin()
    return {
        m.name: MetricCase(m, fresh, controls[m.control] if m.control else None)
        for m in metrics_of(evaluator)
    }


def is_described(case: MetricCase) -> None:
    """A sentence says what is measured; the bounds are in order."""
    assert len(case.metric.description) > 30
    assert case.metric.bounds[0] < case.metric.bounds[1]


def stays_within_its_bounds(case: MetricCase) -> None:
    """Values lie within the bounds, intervals are in order, and n is stated."""
    for data in filter(None, (case.fresh, case.control)):
        score = case.score(data)
        if score.value is None:
            assert score.note
            continue
        low, high = case.metric.bounds
        assert low - 1e-9 <= score.value <= high + 1e-9
        assert score.n > 0
        if score.interval is not None and np.isfinite(score.interval).all():
            assert score.interval[0] <= score.interval[1]


def names_its_extractor(case: MetricCase) -> None:
    """A score that depends on the embedding says whose embedding it is."""
    score = case.score(case.fresh)
    moved = case.score(
        replace(
            case.fresh,
            holdout=_blurred(case.fresh.holdout, 0),
            synthetic=_blurred(case.fresh.synthetic, 1),
        )
    )
    if score.value is not None and score.value != moved.value:
        assert case.fresh.embedder in score.note, score.note


def does_not_mind_the_order(case: MetricCase) -> None:
    """Permuting the rows of an arm changes nothing."""
    order = np.random.default_rng(0).permutation(len(case.fresh.synthetic))
    other = np.random.default_rng(1).permutation(len(case.fresh.holdout))
    data = replace(
        case.fresh,
        synthetic=case.fresh.synthetic.take(order),
        holdout=case.fresh.holdout.take(other),
    )
    first, second = case.score(case.fresh), case.score(data)
    if first.value is None:
        assert second.value is None
    else:
        assert second.value == pytest.approx(first.value, abs=1e-6)


def fails_its_control_step_by_step(case: MetricCase) -> None:
    """The more records the control makes, the worse; real records are nearly as good as can be."""
    if case.control is None or case.score(case.fresh).value is None:
        return
    steps = [case.badness(case.score(_mixed(case, share))) for share in _LADDER]
    span = steps[-1] - steps[0]
    low, high = case.metric.bounds
    grain = _GRAIN * (high - low) if np.isfinite(high - low) else 0.0
    assert span > 0
    assert all(np.diff(steps) >= -max(_SLACK * span, grain)), steps


def refuses_too_few_subjects(case: MetricCase) -> None:
    """With three subjects there is a clear error, or an undefined score with its reason."""
    few = np.arange(_FEW)
    data = replace(
        case.fresh,
        holdout=case.fresh.holdout.take(few),
        synthetic=case.fresh.synthetic.take(few),
    )
    with pytest.raises(EvaluationError, match="at least"):
        case.metric.measure(data, _SEED)


METRIC_CHECKS: tuple[Callable[[MetricCase], None], ...] = (
    is_described,
    stays_within_its_bounds,
    names_its_extractor,
    does_not_mind_the_order,
    fails_its_control_step_by_step,
    refuses_too_few_subjects,
)


@cache
def _arms(plugin: type[Evaluator], toy: Toy | None) -> tuple[EvalData, dict[str, EvalData]]:
    make = toy or importlib.import_module(f"casemix.modalities.{plugin.modality}.toy").toy
    samples, given = make(4 * _N, seed=0)
    cuts = np.split(np.arange(4 * _N), [_N, 2 * _N, 3 * _N])  # known, members, holdout, fresh
    evaluator = plugin().fit(samples.take(cuts[0]), seed=0)

    def view(records: Samples, context: pd.DataFrame) -> View:
        return View(records, evaluator.findings(records), evaluator.embed(records), context)

    def real(rows: np.ndarray) -> View:
        return view(samples.take(rows), given.values.iloc[rows])

    levelled = [f.name for f in given.schema if f.kind in LEVELLED]
    fresh = EvalData(
        train=real(np.concatenate(cuts[:2])),
        holdout=real(cuts[2]),
        synthetic=real(cuts[3]),
        findings_schema=evaluator.findings_schema,
        context_schema=given.schema,
        embedder=plugin.embedder,
        target=levelled[0] if levelled else "",
        embedded=frozenset(samples.take(cuts[0]).subject_ids),
        downstream=evaluator.downstream,
    )
    members = samples.take(cuts[1]), given.take(cuts[1])
    controls = {
        name: replace(fresh, synthetic=view(made, members[1].values.set_axis(made.sample_ids)))
        for name in ("marginals", "copy_training")
        for made in [_made(f"{plugin.modality}/{name}", *members)]
    }
    return fresh, controls


def _made(name: str, samples: Samples, given: Conditions) -> Samples:
    """Return a control's records for the same conditions as those that it was fitted on."""
    plugin = registry.load("generators", name)
    asked = given.pick(f.name for f in given.schema if f.kind in plugin.honours)
    rows = asked.rows.set_axis(pd.Index([f"control-{i}" for i in asked.rows.index]), axis=0)
    fitted = plugin().fit(samples, asked, seed=0)
    made: Samples = fitted.generate(Conditions(rows, asked.schema), seed=1)
    return made


def _blurred(view: View, seed: int) -> View:
    """Return a view whose embedding holds noise besides."""
    noise = np.random.default_rng(seed).normal(size=view.embedding.shape)
    return replace(view, embedding=view.embedding + noise.astype(view.embedding.dtype))


def _mixed(case: MetricCase, share: float) -> EvalData:
    """Return fresh records of which a share is replaced by the control's."""
    assert case.control is not None
    fresh, bad = case.fresh.synthetic, case.control.synthetic
    n = len(fresh)
    cut = round(n * (1 - share))
    parts = [fresh.take(np.arange(cut)), bad.take(np.arange(cut, n))]
    parts = [p for p in parts if len(p)]
    mixed = View(
        Samples.concat([p.samples for p in parts]),
        pd.concat([p.findings for p in parts]),
        np.concatenate([p.embedding for p in parts]),
        pd.concat([p.context for p in parts]),
    )
    return replace(case.fresh, synthetic=mixed)
