"""Linkage of every pair of modalities, and of each modality with the recorded context."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from casemix.core.cohort import Cohort
from casemix.core.conditions import Conditions
from casemix.core.encoding import ConditionEncoder
from casemix.core.fields import LEVELLED
from casemix.core.metric import Score, View
from casemix.core.parallel import run_all
from casemix.core.progress import Progress
from casemix.errors import EvaluationError
from casemix.evaluation import linkage
from casemix.evaluation.critic import Critic
from casemix.evaluation.hsic import hsic_and_null
from casemix.evaluation.joint_excess import joint_excess
from casemix.evaluation.linkage import Pairs
from casemix.evaluation.retrieval import retrieval
from casemix.evaluation.statistics import permutation_p_value
from casemix.evaluation.translation import translation

CONTEXT = "context"
_ARMS = ("train", "holdout", "synthetic")
_GALLERY = 50
_MANY = 600  # subjects of all arms from which processes of their own pay for pairs


@dataclass(frozen=True)
class _Subjects:
    """One cohort's subjects as matrices: each view's rows by subject id, and the context."""

    views: Mapping[str, pd.DataFrame]
    context: pd.DataFrame
    groups: pd.Series | None

    def pairs(self, a: str, b: str) -> Pairs:
        """Return the subjects that have both views."""
        both = self.views[a].index.intersection(self.views[b].index, sort=True)
        return Pairs(
            self.views[a].loc[both].to_numpy(),
            self.views[b].loc[both].to_numpy(),
            self.context.loc[both].to_numpy(),
            None if self.groups is None else self.groups.loc[both].to_numpy(),
        )


def judge_links(
    views: Mapping[str, Mapping[str, View]],
    cohorts: Mapping[str, Cohort],
    *,
    target: str = "",
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Return one entry per pair: link, patient_link, critic AUC, retrieval, HSIC and controls.

    Args:
        views: modality -> arm (``train``, ``holdout``, ``synthetic``) -> its records.
        cohorts: arm -> cohort, for the recorded context.
        target: levelled context field whose recovery is measured and within which subjects are
            exchanged for `patient_link`.
        seed: seed of folds, permutations and bootstraps.
        workers: processes that judge large pairs side by side.
        progress: where to report.
    """
    arms = _arms(views, cohorts, target)
    names = [*([CONTEXT] if arms["train"].context.shape[1] else []), *views]
    works = []
    for number, (a, b) in enumerate(itertools.combinations(names, 2)):
        trio = {arm: arms[arm].pairs(a, b) for arm in _ARMS}
        recovery = arms if a == CONTEXT and arms["train"].groups is not None else None
        works.append(_PairWork(a, b, trio, recovery, target, (seed + number) % 2**31, seed))
    small = sum(len(s.context) for s in arms.values()) < _MANY
    return run_all(works, workers=1 if small else workers, progress=progress or Progress())


@dataclass(frozen=True)
class _PairWork:
    """One pair, to be judged in any process.

    Args:
        a: its first view.
        b: its second view.
        trio: arm -> matched subjects.
        recovery: arm -> subjects, where context recovery from ``b`` is to be measured.
        target: the field that is recovered.
        seed: of this pair.
        recovery_seed: of the recovery, the same for all pairs.
    """

    a: str
    b: str
    trio: Mapping[str, Pairs]
    recovery: Mapping[str, _Subjects] | None
    target: str
    seed: int
    recovery_seed: int

    def __call__(self, progress: Progress) -> dict[str, Any]:
        """Return the pair's entry in ``metrics.json``."""
        with progress.step(f"linking {self.a} and {self.b}", 1) as bar:
            try:
                scores = _judge(self.trio, beyond_context=self.a != CONTEXT, seed=self.seed)
            except EvaluationError as error:  # e.g. too few subjects with both
                scores = {"link": Score(None, note=str(error)), "patient_link": Score(None)}
            if self.recovery is not None:
                scores["context_recovery"] = _recovery(
                    self.recovery, self.b, self.target, self.recovery_seed
                )
            bar.advance()
        shown = {name: score.to_json() for name, score in scores.items() if ":" not in name}
        control = {
            name.partition(":")[2]: score.to_json() for name, score in scores.items() if ":" in name
        }
        return {"a": self.a, "b": self.b, **shown, "control": {"shuffled": control}}


def _arms(
    views: Mapping[str, Mapping[str, View]], cohorts: Mapping[str, Cohort], target: str
) -> dict[str, _Subjects]:
    train = cohorts["train"]
    encoder = ConditionEncoder.fit(train.subject_conditions())
    grouped = target in train.schema and train.schema[target].kind in LEVELLED
    arms = {}
    columns = {m: _usable_columns(v["train"]) for m, v in views.items()}
    for arm, cohort in cohorts.items():
        context = _context(encoder, cohort)
        per_view = {m: _per_subject(v[arm], columns[m], v["train"]) for m, v in views.items()}
        groups = cohort.subjects[target].astype(str) if grouped else None
        arms[arm] = _Subjects({CONTEXT: context, **per_view}, context, groups)
    varied = arms["train"].context.std() > 0
    return {arm: _without_constants(s, varied) for arm, s in arms.items()}


def _without_constants(subjects: _Subjects, varied: pd.Series) -> _Subjects:
    context = subjects.context.loc[:, varied]
    return replace(subjects, context=context, views={**subjects.views, CONTEXT: context})


def _context(encoder: ConditionEncoder, cohort: Cohort) -> pd.DataFrame:
    given: Conditions = cohort.subject_conditions().pick(encoder.schema.names)
    values, known = encoder.encode(given)
    return pd.DataFrame(np.concatenate([values, known], axis=1), cohort.subjects.index).astype(
        float
    )


def _usable_columns(train: View) -> list[str]:
    """Return the numeric findings that vary and that most training records have."""
    numeric = train.findings.select_dtypes("number")
    return [str(c) for c in numeric if numeric[c].notna().mean() > 0.5 and numeric[c].std() > 0]


def _per_subject(view: View, columns: list[str], train: View) -> pd.DataFrame:
    """Return embedding and numeric findings, averaged per subject; gaps get the training median."""
    names = [f"embedding.{k}" for k in range(view.embedding.shape[1])]
    vectors = pd.DataFrame(view.embedding.astype(float), view.findings.index, names)
    findings = view.findings[columns].fillna(train.findings[columns].median())
    whole = pd.concat([vectors, findings], axis=1)
    return whole.groupby(view.samples.subject_ids, sort=True).mean()


def _judge(trio: Mapping[str, Pairs], *, beyond_context: bool, seed: int) -> dict[str, Score]:
    train, holdout, synthetic = (_equal(trio, arm, seed) for arm in _ARMS)
    shuffled = replace(
        synthetic, second=synthetic.second[linkage.permute_all(len(synthetic.second), seed=seed)]
    )
    whole = linkage.link_reference(train, holdout, seed=seed)
    critic, found = whole.critic, whole.judge(synthetic)
    scores = {
        "link": _link(found),
        "critic_auc": Score(
            found.synthetic.value,
            found.synthetic.interval,
            found.synthetic.n,
            ceiling=found.ceiling.value,
            floor=found.floor[0],
        ),
        "shuffled:link": _link(whole.judge(shuffled)),
        **_retrieval(critic, holdout, synthetic, seed),
        **_translations(critic, trio["train"], holdout, synthetic, shuffled, seed),
        "joint_excess": _joint_excess(critic, holdout, synthetic, shuffled, seed),
        "hsic": _hsic(holdout, synthetic, seed),
    }
    if beyond_context:
        beyond = linkage.patient_reference(train, holdout, seed=seed)
        for name, arm in (("patient_link", synthetic), ("shuffled:patient_link", shuffled)):
            scores[name] = _link(beyond.judge(arm))
    return scores


def _equal(trio: Mapping[str, Pairs], arm: str, seed: int) -> Pairs:
    """Return an arm; holdout and synthetic cut to the same random number of subjects."""
    pairs = trio[arm]
    n = min(len(trio["holdout"].first), len(trio["synthetic"].first))
    return pairs if arm == "train" else _some(pairs, n, seed)


def _some(pairs: Pairs, n: int, seed: int) -> Pairs:
    """Return at most n random subjects."""
    if len(pairs.first) <= n:
        return pairs
    return _at(pairs, np.sort(np.random.default_rng(seed).permutation(len(pairs.first))[:n]))


def _at(pairs: Pairs, rows: np.ndarray) -> Pairs:
    groups = None if pairs.groups is None else pairs.groups[rows]
    context = None if pairs.context is None else pairs.context[rows]
    return Pairs(pairs.first[rows], pairs.second[rows], context, groups)


def _link(found: linkage.Link) -> Score:
    note = found.reason or ("over-coupled: above the real link" if found.over_coupled else "")
    details = {
        "synthetic_auc": found.synthetic.value,
        "real_auc": found.ceiling.value,
        "floors": list(found.floor),
    }
    defined = found.value is not None
    return Score(
        found.value,
        found.interval,
        found.synthetic.n,
        ceiling=1.0 if defined else None,
        floor=0.0 if defined else None,
        note=note,
        details=details,
    )


def _retrieval(critic: Critic, holdout: Pairs, synthetic: Pairs, seed: int) -> dict[str, Score]:
    gallery = min(_GALLERY, len(holdout.first))
    made, real = (
        retrieval(critic.scores(p.first, p.second), gallery=gallery, seed=seed)
        for p in (synthetic, holdout)
    )
    n, note = len(synthetic.first), f"gallery of {gallery}"
    chance = made.k / gallery
    return {
        "recall_at_5": Score(made.recall, None, n, real.recall, chance, note),
        "median_rank": Score(made.median_rank, None, n, real.median_rank, (gallery + 1) / 2, note),
    }


def _translations(
    critic: Critic, train: Pairs, holdout: Pairs, synthetic: Pairs, shuffled: Pairs, seed: int
) -> dict[str, Score]:
    """Return how well a model of synthetic pairs reads one view from the other in real ones."""
    as_many = _some(train, len(synthetic.first), seed)
    found = {}
    back = Critic(critic.second, critic.first, critic.correlations)
    for name, judge, read in (
        ("utility_a_to_b", critic, _both),
        ("utility_b_to_a", back, _turned),
    ):
        value, ceiling, floor = (
            translation(judge, read(arm), read(holdout), seed=seed)
            for arm in (synthetic, as_many, shuffled)
        )
        if value is None or ceiling is None or floor is None:
            found[name] = Score(None, note="real pairs show nothing to predict")
        else:
            found[name] = Score(
                value.value, value.interval, value.n, ceiling.value, floor.value, "R2"
            )
    return found


def _joint_excess(
    critic: Critic, holdout: Pairs, synthetic: Pairs, shuffled: Pairs, seed: int
) -> Score:
    """Return what the pair betrays beyond its parts; the ceiling is one half of real pairs."""
    order = np.random.default_rng(seed).permutation(len(holdout.first))
    halves = [_at(holdout, np.sort(rows)) for rows in np.array_split(order, 2)]
    value, floor = (
        joint_excess(critic, _both(holdout), _both(arm), seed=seed) for arm in (synthetic, shuffled)
    )
    ceiling = joint_excess(critic, *(_both(half) for half in halves), seed=seed)
    details = {"joint": value.joint, "a": value.first, "b": value.second}
    return Score(
        value.value, value.interval, value.n, ceiling.value, floor.value, "C2ST AUC", details
    )


def _both(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    return pairs.first, pairs.second


def _turned(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    return pairs.second, pairs.first


def _hsic(holdout: Pairs, synthetic: Pairs, seed: int) -> Score:
    moved = [linkage.permute_all(len(synthetic.first), seed=seed + k) for k in range(20)]
    value, null = hsic_and_null(synthetic.first, synthetic.second, moved)
    details = {"p_value": permutation_p_value(value, null)}
    real = linkage.hsic(holdout.first, holdout.second)
    floor = float(np.mean(null))
    return Score(value, None, len(synthetic.first), real, floor, details=details)


def _recovery(arms: Mapping[str, _Subjects], b: str, target: str, seed: int) -> Score:
    known = {arm: s.views[b].index[_labels(s, b) != "None"] for arm, s in arms.items()}
    x = {arm: s.views[b].loc[known[arm]].to_numpy() for arm, s in arms.items()}
    y = {
        arm: s.groups.loc[known[arm]].to_numpy() for arm, s in arms.items() if s.groups is not None
    }
    found, real = (
        linkage.context_recovery(x["train"], y["train"], x[arm], y[arm], seed=seed % 2**31)
        for arm in ("synthetic", "holdout")
    )
    return Score(found.value, found.interval, found.n, real.value, 0.5, f"AUROC of {target}")


def _labels(subjects: _Subjects, b: str) -> np.ndarray:
    assert subjects.groups is not None
    return subjects.groups.loc[subjects.views[b].index].to_numpy()
