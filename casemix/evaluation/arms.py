"""The arms of one modality: synthetic, ceiling and floors, at equal sizes and through one embedder.

See `casemix.evaluation.protocol` for what stands in which arm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from casemix.core import registry, seeding
from casemix.core.cohort import Cohort
from casemix.core.conditions import Conditions
from casemix.core.evaluator import Evaluator
from casemix.core.metric import EvalData, Metric, Score, View
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.errors import EvaluationError
from casemix.evaluation.battery import metrics_of
from casemix.evaluation.subgroup_scores import every_metric_by_subgroup, judge_subgroups

MOST_SUBJECTS = 2000  # per arm; larger cohorts are sampled, which the result states
FEWEST_SUBJECTS = 16  # per arm; below it no metric means anything


@dataclass(frozen=True)
class Questions:
    """What a user wants to know beyond the standard battery.

    Args:
        target: the subject field that downstream models predict; ``""`` = the most varied levelled
            one.
        event: the binary field that says whether the event happened at the ``target``, a follow-up
            time: survival; ``""`` = the target is a class or a number.
        encoders: modality -> an encoder (hub id or local folder) in the place of the built-in one.
        every_subgroup: give every metric by subgroup, not only those that are made of one value
            per record; slow.
        links_only: measure linkage alone, and no metric of a single modality.
    """

    target: str = ""
    event: str = ""
    encoders: Mapping[str, str] = field(default_factory=dict)
    every_subgroup: bool = False
    links_only: bool = False


@dataclass(frozen=True)
class Trio:
    """The three cohorts of an evaluation, all with the same context fields."""

    train: Cohort
    holdout: Cohort
    synthetic: Cohort

    def parts(self) -> dict[str, Cohort]:
        """Return the cohorts by name."""
        return {"train": self.train, "holdout": self.holdout, "synthetic": self.synthetic}

    def only(self, modality: str) -> Trio:
        """Return the cohorts with one modality."""
        return Trio(*(replace(c, samples={modality: c[modality]}) for c in self.parts().values()))


@dataclass(frozen=True)
class Arms:
    """One modality's arms, seen through one evaluator."""

    modality: str
    evaluator: Evaluator
    data: EvalData
    ceiling: EvalData
    halves: EvalData
    floors: Mapping[str, EvalData]
    n: int
    every_subgroup: bool
    seed: int

    @classmethod
    def build(
        cls,
        trio: Trio,
        evaluator: Evaluator,
        embedded: frozenset[str],
        whole: Mapping[str, View],
        questions: Questions,
        seed: int,
    ) -> Arms:
        """Return the arms of a modality.

        Args:
            trio: the three cohorts with this modality.
            evaluator: the fitted evaluator.
            embedded: the training subjects that it was fitted on.
            whole: train, holdout and synthetic records, see `views_of`.
            questions: what is asked.
            seed: seed of subsets and controls.

        Raises:
            EvaluationError: too few subjects in an arm.
        """
        modality = evaluator.modality
        schemas = (evaluator.findings_schema, trio.train.schema)
        data = EvalData(
            whole["train"],
            whole["holdout"],
            whole["synthetic"],
            *schemas,
            evaluator.embedder,
            questions.target,
            embedded,
            questions.encoders.get(modality, ""),
            downstream=evaluator.downstream,
            event=questions.event,
        )
        n = min(
            len(set(v.samples.subject_ids)) for v in (data.members, data.holdout, data.synthetic)
        )
        if n < FEWEST_SUBJECTS:
            raise EvaluationError(
                f"There are too few subjects with {modality} records to judge them.",
                given=f"{n} in the smallest arm",
                allowed=f"at least {FEWEST_SUBJECTS}",
                next_step="Use a larger cohort, or a larger holdout share.",
            )
        data = replace(
            data, holdout=_of(data.holdout, n, seed), synthetic=_of(data.synthetic, n, seed)
        )
        real = _of(data.members, n, seed)
        left, right = _halves(whole["holdout"], seed)
        floors = {
            control: replace(
                data, synthetic=_control(f"{modality}/{control}", real, evaluator, trio, seed)
            )
            for control in ("marginals", "copy_training")
        }
        ceiling = replace(data, synthetic=real)
        private = replace(data, synthetic=left, holdout=right)
        every = questions.every_subgroup
        return cls(modality, evaluator, data, ceiling, private, floors, n, every, seed)

    def judge(self, progress: Progress) -> dict[str, Any]:
        """Return every metric's score, ceiling and floor, and scores by subgroup."""
        metrics = metrics_of(self.evaluator)
        scores = {}
        with progress.step(f"judging {self.modality}", len(metrics) + 1) as bar:
            for metric in metrics:
                scores[metric.name] = self._score(metric)
                bar.advance(note=metric.name)
            by_group = self._subgroups(metrics)
        about = {"n": self.n, "embedder": self.evaluator.embedder}
        return {"metrics": scores, "subgroups": by_group, **about}

    def _subgroups(self, metrics: Sequence[Metric]) -> dict[str, dict[str, Any]]:
        seed = seeding.child(self.seed, "subgroups") % 2**31
        found = judge_subgroups(self.data, seed=seed)
        if self.every_subgroup:
            more = every_metric_by_subgroup(self.data, metrics, seed=seed)
            found = {f: found.get(f, {}) | more.get(f, {}) for f in {**found, **more}}
        return found

    def _score(self, metric: Metric) -> dict[str, Any]:
        seed = seeding.child(self.seed, metric.name) % 2**31
        anchor = self.halves if metric.ceiling == "holdout" else self.ceiling
        value = _computed(metric, self.data, seed)
        ceiling = _computed(metric, anchor, seed).value
        floor = None
        if metric.control:
            floor = _computed(metric, self.floors[metric.control], seed).value
        about = {
            "family": str(metric.family),
            "goal": str(metric.goal),
            "bounds": [b if np.isfinite(b) else None for b in metric.bounds],
            "description": metric.description,
            "control": metric.control,
        }
        return about | replace(value, ceiling=ceiling, floor=floor).to_json()


def _computed(metric: Metric, data: EvalData, seed: int) -> Score:
    try:
        return metric.measure(data, seed)
    except EvaluationError as error:  # e.g. too few rows: undefined, with the reason
        return Score(None, note=str(error))


def half_of_train(trio: Trio, modality: str, seed: int) -> frozenset[str]:
    """Return the training subjects that the embedder is fitted on."""
    ids = np.array(sorted(set(trio.train[modality].subject_ids)), dtype=object)
    order = seeding.generator(seed, "embedder").permutation(len(ids))
    return frozenset(ids[order[: len(ids) // 2]])


def fitted_evaluator(trio: Trio, modality: str, subjects: frozenset[str], seed: int) -> Evaluator:
    """Return the modality's standard evaluator, fitted on these training subjects."""
    plugin = registry.load("evaluators", f"{modality}/standard")
    samples = trio.train.of_subjects(sorted(subjects))[modality]
    fitted: Evaluator = plugin().fit(samples, seed=seeding.child(seed, "fit"))
    return fitted


def views_of(trio: Trio, modality: str, evaluator: Evaluator, seed: int) -> dict[str, View]:
    """Return train, holdout and synthetic records as the metrics see them."""
    some = {name: _capped(c, modality, seed) for name, c in trio.parts().items()}
    return {name: _view(evaluator, c[modality], c) for name, c in some.items()}


def _view(evaluator: Evaluator, samples: Samples, cohort: Cohort) -> View:
    context = cohort.subjects.reindex(samples.subject_ids)
    context.index = samples.index.index
    return View(
        samples,
        evaluator.findings(samples),
        evaluator.embed(samples),
        context,
        evaluator.statements(samples),
    )


def _capped(cohort: Cohort, modality: str, seed: int) -> Cohort:
    """Return the cohort with at most `MOST_SUBJECTS` subjects that have the modality."""
    ids = np.array(sorted(set(cohort[modality].subject_ids)), dtype=object)
    if len(ids) > MOST_SUBJECTS:
        chosen = seeding.generator(seed, "cap").permutation(len(ids))[:MOST_SUBJECTS]
        ids = ids[np.sort(chosen)]
    return cohort.of_subjects(ids)


def _of(view: View, n: int, seed: int) -> View:
    """Return the records of ``n`` random subjects."""
    ids = np.array(sorted(set(view.samples.subject_ids)), dtype=object)
    chosen = set(ids[seeding.generator(seed, "arm").permutation(len(ids))[:n]])
    return view.take(np.flatnonzero([s in chosen for s in view.samples.subject_ids]))


def _halves(view: View, seed: int) -> tuple[View, View]:
    ids = np.array(sorted(set(view.samples.subject_ids)), dtype=object)
    order = seeding.generator(seed, "halves").permutation(len(ids))
    left = set(ids[order[: len(ids) // 2]])
    inside = np.array([s in left for s in view.samples.subject_ids])
    return view.take(np.flatnonzero(inside)), view.take(np.flatnonzero(~inside))


def _control(name: str, real: View, evaluator: Evaluator, trio: Trio, seed: int) -> View:
    """Return a control's records for the same subjects and conditions as the training arm."""
    plugin = registry.load("generators", name)
    cohort = trio.train.of_subjects(sorted(set(real.samples.subject_ids)))
    samples = cohort[real.samples.modality]
    given = cohort.conditions(samples.modality)
    given = given.pick(f.name for f in given.schema if f.kind in plugin.honours)
    fitted = plugin().fit(samples, given, seed=seeding.child(seed, name))
    rows = given.rows.set_axis(pd.Index([f"control-{i}" for i in given.rows.index]), axis=0)
    made = fitted.generate(Conditions(rows, given.schema), seed=seeding.child(seed, name, "draw"))
    return _view(evaluator, made, cohort)
