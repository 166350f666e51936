"""Scores by subgroup of the recorded context: who is served worse?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import entropy, norm

from casemix.core import seeding
from casemix.core.fields import LEVELLED, Schema
from casemix.core.metric import EvalData, Goal, Metric
from casemix.errors import EvaluationError
from casemix.evaluation.diversity import neighbourhoods
from casemix.evaluation.fairness import (
    BySubgroup,
    Resampled,
    by_subgroup,
    resampled,
    subgroups,
)
from casemix.evaluation.fidelity import held_out_scores, nearest_neighbour_hits
from casemix.evaluation.privacy import domias_scores
from casemix.evaluation.statistics import as_subjects, auc
from casemix.evaluation.targets import features, has_target, known, labelled, measure_of
from casemix.evaluation.utility import SCORES, predictions

_MOST_FIELDS, _MOST_LEVELS = 6, 8  # of findings that make groups
_DRAWS = 200  # that stand for a score's interval

#: Groups of each field -> the score by group.
Judge = Callable[[Mapping[str, npt.NDArray]], Mapping[str, BySubgroup]]


def judge_subgroups(data: EvalData, *, seed: int) -> dict[str, dict[str, Any]]:
    """Return field -> score -> groups and disparity, JSON-ready.

    Scores that are made of one value per record: can the group's records be told from synthetic
    ones of the group (``c2st_auc``, ``one_nn_accuracy``)? Are the group's real records reached
    (``coverage``, ``recall``), its synthetic ones real (``precision``)? Does a model trained on
    synthetic records serve the group's real ones (``utility``)? Are its members found out
    (``membership_auc``)?

    Args:
        data: the protocol's arms of one modality.
        seed: seed of folds, models and bootstraps.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, judge in _JUDGES.items():
        try:
            of_field = judge(data, seed)
        except EvaluationError:  # e.g. too few records: the whole score says why
            continue
        for field, result in of_field.items():
            if any(not g.suppressed for g in result.groups.values()):
                found.setdefault(field, {})[name] = result.to_json()
    return found


def _groups(data: EvalData, *views: str) -> dict[str, npt.NDArray]:
    """Return field -> group of each record of these views, one after the other.

    Groups are those of the recorded context; of the levelled findings where there is none, as in
    plain tables.
    """
    if len(data.context_schema):
        schema, frames = data.context_schema, [getattr(data, v).context for v in views]
        parts = [subgroups(frame, schema, data.train.context) for frame in frames]
    else:
        schema = _most_varied(data)
        frames = [getattr(data, v).findings for v in views]
        parts = [subgroups(frame, schema, data.train.findings) for frame in frames]
    shared = [field for field in parts[0] if all(field in part for part in parts)]
    return {field: np.concatenate([part[field] for part in parts]) for field in shared}


def _most_varied(data: EvalData) -> Schema:
    """Return the levelled findings of few levels that vary most, at most 6."""
    shares = {
        f.name: data.train.findings[f.name].value_counts(normalize=True).to_numpy()
        for f in data.findings_schema
        if f.kind in LEVELLED
    }
    spread = {k: float(entropy(p)) for k, p in shares.items() if 1 < len(p) <= _MOST_LEVELS}
    return data.findings_schema.pick(sorted(spread, key=lambda k: -spread[k])[:_MOST_FIELDS])


def _by(
    groups: Mapping[str, npt.NDArray],
    statistic: Callable[[npt.NDArray], float],
    subjects: npt.NDArray,
    goal: Goal,
    seed: int,
) -> dict[str, BySubgroup]:
    metric = resampled(statistic, subjects, seed=seed)
    return {
        field: by_subgroup(metric, labels, goal=goal, subjects=subjects)
        for field, labels in groups.items()
        if any(label is not None for label in labels)
    }


def _c2st(data: EvalData, seed: int) -> dict[str, BySubgroup]:
    views = (data.holdout, data.synthetic)
    held = held_out_scores(
        features(data.holdout),
        features(data.synthetic),
        subjects_real=data.holdout.samples.subject_ids,
        subjects_synthetic=data.synthetic.samples.subject_ids,
        seed=seed,
    )

    def told(rows: npt.NDArray) -> float:
        arm = held.arm[rows]
        return auc(held.scores[rows], arm) if 0 < arm.sum() < len(arm) else float("nan")

    assert len(held.arm) == sum(map(len, views))
    groups = _groups(data, "holdout", "synthetic")
    return _by(groups, told, held.subjects, Goal.MINIMISE, seed)


def _nearest(data: EvalData, seed: int) -> dict[str, BySubgroup]:
    views = (data.holdout, data.synthetic)
    ids = [v.samples.subject_ids for v in views]
    real, made = nearest_neighbour_hits(
        *(v.embedding for v in views), subjects_real=ids[0], subjects_synthetic=ids[1]
    )
    hits = np.concatenate([real, made])
    is_real = np.arange(len(hits)) < len(real)

    def accuracy(rows: npt.NDArray) -> float:
        arms = [hits[rows[is_real[rows] == arm]] for arm in (True, False)]
        return float(np.mean([a.mean() for a in arms])) if all(map(len, arms)) else float("nan")

    groups = _groups(data, "holdout", "synthetic")
    return _by(groups, accuracy, _both_arms(*ids), Goal.MINIMISE, seed)


def _supported(part: str, arm: str) -> Callable[[EvalData, int], dict[str, BySubgroup]]:
    def judge(data: EvalData, seed: int) -> dict[str, BySubgroup]:
        inside = getattr(neighbourhoods(data.holdout.embedding, data.synthetic.embedding), part)
        subjects = getattr(data, arm).samples.subject_ids

        def share(rows: npt.NDArray) -> float:
            return float(inside[rows].mean())

        return _by(_groups(data, arm), share, subjects, Goal.MAXIMISE, seed)

    return judge


def _membership(data: EvalData, seed: int) -> dict[str, BySubgroup]:
    """Return the AUC of the group's members against its non-members."""
    ids = data.holdout.samples.subject_ids
    members, others, rows = domias_scores(
        data.members.embedding,
        data.holdout.embedding,
        data.synthetic.embedding,
        holdout_subjects=ids,
        seed=seed,
    )
    attacked = np.concatenate([members, others])
    label = np.repeat([1, 0], [len(members), len(others)])

    def found(chosen: npt.NDArray) -> float:
        known = label[chosen]
        return auc(attacked[chosen], known) if 0 < known.sum() < len(known) else float("nan")

    of_members, of_holdout = _groups(data, "members"), _groups(data, "holdout")
    groups = {
        field: np.concatenate([labels, of_holdout[field][rows]])
        for field, labels in of_members.items()
        if field in of_holdout
    }
    subjects = _both_arms(data.members.samples.subject_ids, ids[rows])
    return _by(groups, found, subjects, Goal.MINIMISE, seed)


def _both_arms(first: npt.NDArray, second: npt.NDArray) -> npt.NDArray:
    """Return subject codes of two arms, one after the other; no code is in both."""
    codes = [as_subjects(ids, len(ids)) for ids in (first, second)]
    return np.concatenate([codes[0], codes[1] + codes[0].max() + 1])


def _utility(data: EvalData, seed: int) -> dict[str, BySubgroup]:
    if not has_target(data):
        return {}
    train, test = labelled(data, data.synthetic, data.holdout)
    measure = measure_of(data)
    truth, predicted, _ = predictions(train.x, train.y, test.x, test.y, measure=measure, seed=seed)
    there = known(data, data.holdout)
    groups = {field: labels[there] for field, labels in _groups(data, "holdout").items()}
    for name in (data.target, data.event):  # within one class there is nothing to predict
        groups.pop(name, None)
    subjects = np.asarray(test.subjects)

    def score(rows: npt.NDArray) -> float:
        return float(SCORES[measure](truth[rows], predicted[rows]))

    return _by(groups, score, subjects, Goal.MAXIMISE, seed)


_JUDGES: Mapping[str, Callable[[EvalData, int], dict[str, BySubgroup]]] = {
    "c2st_auc": _c2st,
    "one_nn_accuracy": _nearest,
    "precision": _supported("near_real", "synthetic"),
    "recall": _supported("near_synthetic", "holdout"),
    "coverage": _supported("covered", "holdout"),
    "utility": _utility,
    "membership_auc": _membership,
}


def every_metric_by_subgroup(
    data: EvalData, metrics: Sequence[Metric], *, seed: int
) -> dict[str, dict[str, Any]]:
    """Return the other metrics by subgroup, each computed anew on the group's records: slow.

    The control and the ceiling are not computed; groups differ in size, which distances depend on.
    The noise of a group is that of its score's interval; a metric without one has no p-value.

    Args:
        data: the protocol's arms of one modality.
        metrics: those of the modality; what `judge_subgroups` gives is left out.
        seed: seed of the metrics.
    """
    real, made = _groups(data, "holdout"), _groups(data, "synthetic")
    found: dict[str, dict[str, Any]] = {}
    for field in real.keys() & made.keys():
        owners = data.holdout.samples.subject_ids
        for metric in metrics:
            if metric.name in _JUDGES or metric.goal is Goal.DESCRIBE:
                continue

            def measured(
                rows: npt.NDArray, metric: Metric = metric, field: str = field
            ) -> Resampled:
                label = real[field][rows[0]]
                return _measured(metric, data, rows, np.flatnonzero(made[field] == label), seed)

            result = by_subgroup(measured, real[field], goal=metric.goal, subjects=owners)
            if any(g.value is not None for g in result.groups.values()):
                found.setdefault(field, {})[metric.name] = result.to_json()
    return found


def _measured(
    metric: Metric, data: EvalData, rows: npt.NDArray, of_made: npt.NDArray, seed: int
) -> Resampled:
    part = replace(data, holdout=data.holdout.take(rows), synthetic=data.synthetic.take(of_made))
    try:
        score = metric.measure(part, seed)
    except EvaluationError:  # e.g. too few synthetic subjects of the group
        return Resampled(None)
    if score.value is None or score.interval is None:
        return Resampled(score.value)
    spread = (score.interval[1] - score.interval[0]) / (2 * norm.ppf(0.975))
    noise = seeding.generator(seed, metric.name, str(len(rows))).normal(size=_DRAWS)
    return Resampled(score.value, tuple((score.value + spread * noise).tolist()))
