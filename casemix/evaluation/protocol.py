"""The protocol: every metric on synthetic data, on its ceiling and on its floor, at equal sizes.

Split by subject: *train* is what the generator was fitted on, *holdout* took no part in any
fitting. Embedders are fitted on one half of train: seen through an embedder that knows them,
training records differ from new ones, and real would not look like real. Per modality and metric:

- **value**: synthetic against holdout;
- **ceiling**: real against holdout. Fidelity and utility put training records that the embedder
  does not know in the place of the synthetic ones; where those would be given away (privacy,
  validation of models trained on them), one half of the holdout stands there for the other;
- **floor**: the control that the metric must fail (independent marginals, copied training rows).

All arms hold the same number of subjects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from casemix import __version__
from casemix.core import registry, seeding
from casemix.core.cohort import Cohort
from casemix.core.conditions import Conditions
from casemix.core.evaluator import Evaluator
from casemix.core.fields import LEVELLED, Schema
from casemix.core.metric import EvalData, Metric, Score, View
from casemix.core.parallel import run_all
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.errors import EvaluationError
from casemix.evaluation.battery import metrics_of
from casemix.evaluation.constraints import check, compare
from casemix.evaluation.contradictions import judge_contradictions
from casemix.evaluation.linked_pairs import judge_links
from casemix.evaluation.rules.language import Rule, load_rules
from casemix.evaluation.subgroup_scores import judge_subgroups
from casemix.evaluation.verdicts import verdicts

FORMAT = 1
MOST_SUBJECTS = 2000  # per arm; larger cohorts are sampled, which the result states
FEWEST_SUBJECTS = 16  # per arm; below it no metric means anything


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


def evaluate(
    train: Cohort,
    holdout: Cohort,
    synthetic: Cohort,
    *,
    seed: int,
    target: str = "",
    links_only: bool = False,
    rules: Sequence[Rule] | None = None,
    encoders: Mapping[str, str] | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Judge a synthetic cohort and return the content of ``metrics.json``.

    Args:
        train: the real subjects that the generator was fitted on.
        holdout: real subjects that it never saw.
        synthetic: the cohort under test, made by any tool.
        seed: seed of subsets, folds and bootstraps.
        target: the subject field that downstream models predict; by default the most varied
            levelled one.
        links_only: measure linkage alone, and no metric of a single modality.
        rules: clinical rules, by default the shipped ones.
        encoders: modality -> a further encoder (hub id or local folder) for its distances.
        workers: processes that judge modalities, and pairs of them, side by side.
        progress: where to report.

    Raises:
        EvaluationError: a subject in both real parts, too few subjects, no shared modality, or a
            field in a unit that a rule has no limits for.
        ConditionError: a rule that does not fit a field's kind or levels.
    """
    trio = Trio(train, holdout, synthetic)
    _check(trio)
    rules = load_rules() if rules is None else rules
    check(train, rules, seed=seed)  # mistakes come to light before the long work
    target = target or default_target(train)
    shared = [m for m in train.modalities if m in holdout.modalities and m in synthetic.modalities]
    if not shared:
        raise EvaluationError(
            "The three cohorts share no modality.",
            given={name: c.modalities for name, c in trio.parts().items()},
        )
    progress = progress or Progress()
    encoders = _checked(encoders or {}, shared)
    works = [
        _Look(trio.only(m), m, target, links_only, encoders.get(m, ""), seeding.child(seed, m))
        for m in shared
    ]
    # Idle threads of one pool slow the others down: one each, here and in the processes.
    with threadpool_limits(1):
        looks = dict(zip(shared, run_all(works, workers=workers, progress=progress), strict=True))
        views = {m: look.views for m, look in looks.items()}
        judged = {m: look.scores for m, look in looks.items() if look.scores}
        pairs = judge_links(
            views,
            trio.parts(),
            target=target,
            seed=seeding.child(seed, "links") % 2**31,
            workers=workers,
            progress=progress,
        )
        contradictions = judge_contradictions(
            views, trio.parts(), seed=seeding.child(seed, "contradictions")
        )
        constraints = _constraints(trio, rules, looks, seed)
    result = {
        "format": FORMAT,
        "casemix": __version__,
        "protocol": _protocol(trio, seed, target, judged),
        "provenance": {name: str(c.provenance) for name, c in trio.parts().items()},
        "modalities": {
            m: {"metrics": j["metrics"], "subgroups": j["subgroups"]} for m, j in judged.items()
        },
        "linkage": {"pairs": pairs},
        "contradictions": contradictions,
        "constraints": constraints,
    }
    return result | {"verdicts": verdicts(result)}


@dataclass(frozen=True)
class _Look:
    """One modality, to be seen through its evaluator and judged, in any process."""

    trio: Trio
    modality: str
    target: str
    links_only: bool
    encoder: str
    seed: int

    def __call__(self, progress: Progress) -> _Looked:
        """Fit the evaluator and judge the arms."""
        with progress.step(f"judging {self.modality}", 2) as bar:
            embedded = _half_of_train(self.trio, self.modality, self.seed)
            evaluator = _evaluator(self.trio, self.modality, embedded, self.seed)
            views = _views(self.trio, self.modality, evaluator, self.seed)
            bar.advance()
            scores: dict[str, Any] = {}
            if not self.links_only:
                asked = (self.target, self.encoder, self.seed)
                scores = _Arms.build(self.trio, evaluator, embedded, views, *asked).judge()
            bar.advance()
        return _Looked(views, evaluator.findings_schema, scores)


@dataclass(frozen=True)
class _Looked:
    """What one modality looks like: its views by arm, its findings' fields and its scores."""

    views: Mapping[str, View]
    schema: Schema
    scores: Mapping[str, Any]


def _constraints(
    trio: Trio, rules: Sequence[Rule], looks: Mapping[str, _Looked], seed: int
) -> dict[str, Any]:
    """Return the rules that apply, held-out real against synthetic, and how many do not."""
    outcomes = []
    for arm, cohort in (("holdout", trio.holdout), ("synthetic", trio.synthetic)):
        found = {m: (look.views[arm].findings, look.schema) for m, look in looks.items()}
        outcomes.append(check(cohort, rules, findings=found, seed=seeding.child(seed, arm)))
    compared = [c.to_json() for c in compare(*outcomes)]
    for entry in compared:
        del entry["real"]["examples"]  # no record of a real patient is named
    applied = [c for c in compared if c["real"]["applicable"] or c["synthetic"]["applicable"]]
    return {"rules": applied, "not_applicable": len(compared) - len(applied)}


def default_target(cohort: Cohort) -> str:
    """Return the levelled subject field of the highest entropy, or ``""``."""
    best, most = "", 0.0
    for f in cohort.schema:
        if f.kind not in LEVELLED:
            continue
        shares = cohort.subjects[f.name].value_counts(normalize=True).to_numpy()
        entropy = float(-(shares * np.log(shares)).sum())
        if entropy > most:
            best, most = f.name, entropy
    return best


def _check(trio: Trio) -> None:
    both = set(trio.train.subjects.index) & set(trio.holdout.subjects.index)
    if both:
        raise EvaluationError(
            f"{len(both)} subjects are in train and in holdout.",
            given=sorted(both)[:5],
            next_step="Split by subject, e.g. with Cohort.split.",
        )
    for name, cohort in trio.parts().items():
        if cohort.schema.names != trio.train.schema.names:
            raise EvaluationError(
                f"The {name} cohort has other subject fields than train.",
                given=cohort.schema.names,
                allowed=trio.train.schema.names,
            )


def _checked(encoders: Mapping[str, str], shared: Sequence[str]) -> Mapping[str, str]:
    for modality in encoders:
        if modality not in shared:
            raise EvaluationError(
                "An encoder is given for a modality that is not judged.",
                given=modality,
                allowed=shared,
            )
    return encoders


def _protocol(trio: Trio, seed: int, target: str, judged: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "seed": seed,
        "target": target,
        "subjects": {name: len(c) for name, c in trio.parts().items()},
        "n_per_arm": {m: j["n"] for m, j in judged.items()},
        "embedders": {m: j["embedder"] for m, j in judged.items()},
    }


@dataclass(frozen=True)
class _Arms:
    """One modality's arms, seen through one evaluator."""

    modality: str
    evaluator: Evaluator
    data: EvalData
    ceiling: EvalData
    halves: EvalData
    floors: Mapping[str, EvalData]
    n: int
    seed: int

    @classmethod
    def build(
        cls,
        trio: Trio,
        evaluator: Evaluator,
        embedded: frozenset[str],
        whole: Mapping[str, View],
        target: str,
        encoder: str,
        seed: int,
    ) -> _Arms:
        modality = evaluator.modality
        schemas = (evaluator.findings_schema, trio.train.schema)
        data = EvalData(
            whole["train"],
            whole["holdout"],
            whole["synthetic"],
            *schemas,
            evaluator.embedder,
            target,
            embedded,
            encoder,
            downstream=evaluator.downstream,
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
        return cls(modality, evaluator, data, ceiling, private, floors, n, seed)

    def judge(self) -> dict[str, Any]:
        """Return every metric's score, ceiling and floor."""
        scores = {metric.name: self._score(metric) for metric in metrics_of(self.evaluator)}
        by_group = judge_subgroups(self.data, seed=seeding.child(self.seed, "subgroups") % 2**31)
        about = {"n": self.n, "embedder": self.evaluator.embedder}
        return {"metrics": scores, "subgroups": by_group, **about}

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


def _half_of_train(trio: Trio, modality: str, seed: int) -> frozenset[str]:
    """Return the training subjects that the embedder is fitted on."""
    ids = np.array(sorted(set(trio.train[modality].subject_ids)), dtype=object)
    order = seeding.generator(seed, "embedder").permutation(len(ids))
    return frozenset(ids[order[: len(ids) // 2]])


def _evaluator(trio: Trio, modality: str, subjects: frozenset[str], seed: int) -> Evaluator:
    plugin = registry.load("evaluators", f"{modality}/standard")
    samples = trio.train.of_subjects(sorted(subjects))[modality]
    fitted: Evaluator = plugin().fit(samples, seed=seeding.child(seed, "fit"))
    return fitted


def _views(trio: Trio, modality: str, evaluator: Evaluator, seed: int) -> dict[str, View]:
    some = {name: _capped(c, modality, seed) for name, c in trio.parts().items()}
    return {name: _view(evaluator, c[modality], c) for name, c in some.items()}


def _view(evaluator: Evaluator, samples: Samples, cohort: Cohort) -> View:
    context = cohort.subjects.reindex(samples.subject_ids)
    context.index = samples.index.index
    return View(samples, evaluator.findings(samples), evaluator.embed(samples), context)


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
