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
from threadpoolctl import threadpool_limits

from casemix import __version__
from casemix.core import registry, seeding
from casemix.core.cohort import Cohort
from casemix.core.fields import LEVELLED, Schema
from casemix.core.metric import View
from casemix.core.parallel import run_all
from casemix.core.progress import Progress
from casemix.errors import EvaluationError, did_you_mean
from casemix.evaluation.arms import (
    Arms,
    Questions,
    Trio,
    fitted_evaluator,
    half_of_train,
    views_of,
)
from casemix.evaluation.constraints import check, compare
from casemix.evaluation.contradictions import judge_contradictions
from casemix.evaluation.fitness import fitness
from casemix.evaluation.linked_pairs import judge_links
from casemix.evaluation.rules.language import Rule, load_rules
from casemix.evaluation.targets import check_survival
from casemix.evaluation.verdicts import verdicts

FORMAT = 1


def evaluate(
    train: Cohort,
    holdout: Cohort,
    synthetic: Cohort,
    *,
    seed: int,
    questions: Questions | None = None,
    rules: Sequence[Rule] | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Judge a synthetic cohort and return the content of ``metrics.json``.

    Args:
        train: the real subjects that the generator was fitted on.
        holdout: real subjects that it never saw.
        synthetic: the cohort under test, made by any tool.
        seed: seed of subsets, folds and bootstraps.
        questions: target of downstream models, further encoders, and what else is asked.
        rules: clinical rules, by default the shipped ones.
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
    asked = questions or Questions()
    asked = replace(asked, target=asked.target or default_target(train))
    shared = [m for m in train.modalities if m in holdout.modalities and m in synthetic.modalities]
    if not shared:
        raise EvaluationError(
            "The three cohorts share no modality.",
            given={name: c.modalities for name, c in trio.parts().items()},
        )
    progress = progress or Progress()
    _check_encoders(asked.encoders, shared)
    sole = len(shared) == 1
    works = [_Look(trio.only(m), m, asked, sole, seeding.child(seed, m)) for m in shared]
    # Idle threads of one pool slow the others down: one each, here and in the processes.
    with threadpool_limits(1):
        looks = dict(zip(shared, run_all(works, workers=workers, progress=progress), strict=True))
        for name in filter(None, (asked.target, asked.event)):
            _check_field(name, train.schema, looks)
        views = {m: look.views for m, look in looks.items()}
        judged = {m: look.scores for m, look in looks.items() if look.scores}
        pairs = judge_links(
            views,
            trio.parts(),
            target=asked.target,
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
        "protocol": _protocol(trio, seed, asked.target, judged),
        "provenance": {name: str(c.provenance) for name, c in trio.parts().items()},
        "modalities": {
            m: {"metrics": j["metrics"], "subgroups": j["subgroups"]} for m, j in judged.items()
        },
        "linkage": {"pairs": pairs},
        "contradictions": contradictions,
        "constraints": constraints,
    }
    found = verdicts(result)
    return result | {"verdicts": found, "uses": fitness(found)}


@dataclass(frozen=True)
class _Look:
    """One modality, to be seen through its evaluator and judged, in any process."""

    trio: Trio
    modality: str
    questions: Questions
    sole: bool
    seed: int

    def __call__(self, progress: Progress) -> _Looked:
        """Fit the evaluator and judge the arms."""
        with progress.step(f"looking at {self.modality}", 1):
            embedded = half_of_train(self.trio, self.modality, self.seed)
            evaluator = fitted_evaluator(self.trio, self.modality, embedded, self.seed)
            asked = self._asked(evaluator.findings_schema)
            views = views_of(self.trio, self.modality, evaluator, self.seed)
        scores: dict[str, Any] = {}
        if not asked.links_only:
            arms = Arms.build(self.trio, evaluator, embedded, views, asked, self.seed)
            scores = arms.judge(progress)
        return _Looked(views, evaluator.findings_schema, scores)

    def _asked(self, findings: Schema) -> Questions:
        """Return the questions with fields that are findings of this modality by their full names.

        Raises:
            EvaluationError: a field that can only be this modality's, and is not; a follow-up time
                or an event of another kind.
        """
        asked, known = self.questions, {f.name: f for f in (*self.trio.train.schema, *findings)}

        def full(name: str) -> str:
            own = f"{self.modality}.{name}"
            return own if name not in known and own in known else name

        asked = replace(asked, target=full(asked.target), event=full(asked.event))
        named = [name for name in (asked.target, asked.event) if name]
        for name in named:
            if self.sole and name not in known:
                raise _unknown(name, list(known))
        if asked.event and all(name in known for name in named):
            check_survival(Schema(tuple(known.values())), asked.target, asked.event)
        return asked


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


def _check_field(name: str, context: Schema, looks: Mapping[str, _Looked]) -> None:
    names = [*context.names, *(n for look in looks.values() for n in look.schema.names)]
    own = {f"{m}.{name}" for m in looks}
    if name not in names and own.isdisjoint(names):
        raise _unknown(name, names)


def _unknown(name: str, names: Sequence[str]) -> EvaluationError:
    return EvaluationError(
        f"There is no field '{name}' to predict.",
        given=name,
        allowed=names,
        next_step=did_you_mean(name, names),
    )


def _check_encoders(encoders: Mapping[str, str], shared: Sequence[str]) -> None:
    reading = [m for m in shared if registry.load("evaluators", f"{m}/standard").reads_encoder]
    for modality in encoders:
        if modality not in reading:
            raise EvaluationError(
                "An encoder is given for a modality that is not judged, or reads none.",
                given=modality,
                allowed=reading or "none of these cohorts",
            )


def _protocol(trio: Trio, seed: int, target: str, judged: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "seed": seed,
        "target": target,
        "subjects": {name: len(c) for name, c in trio.parts().items()},
        "n_per_arm": {m: j["n"] for m, j in judged.items()},
        "embedders": {m: j["embedder"] for m, j in judged.items()},
    }
