"""Scores by subgroup of the recorded context: who is served worse?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from casemix.core.metric import EvalData, Goal
from casemix.errors import EvaluationError
from casemix.evaluation.diversity import covered
from casemix.evaluation.fairness import BySubgroup, by_subgroup, resampled, subgroups
from casemix.evaluation.fidelity import held_out_scores
from casemix.evaluation.statistics import auc
from casemix.evaluation.uses import features, has_target, labelled, measure_of
from casemix.evaluation.utility import SCORES, predictions

#: Groups of each field -> the score by group.
Judge = Callable[[Mapping[str, npt.NDArray]], Mapping[str, BySubgroup]]


def judge_subgroups(data: EvalData, *, seed: int) -> dict[str, dict[str, Any]]:
    """Return field -> score -> groups and disparity, JSON-ready.

    Scores: ``c2st_auc`` (can the group's records be told from synthetic ones of the group?),
    ``coverage`` (are the group's real records reached?) and ``utility`` (does a model trained on
    synthetic records serve the group's real ones?).

    Args:
        data: the protocol's arms of one modality.
        seed: seed of folds, models and bootstraps.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, judge in (("c2st_auc", _c2st), ("coverage", _coverage), ("utility", _utility)):
        try:
            of_field = judge(data, seed)
        except EvaluationError:  # e.g. too few records: the whole score says why
            continue
        for field, result in of_field.items():
            if any(not g.suppressed for g in result.groups.values()):
                found.setdefault(field, {})[name] = result.to_json()
    return found


def _groups(data: EvalData, *views: str) -> dict[str, npt.NDArray]:
    """Return field -> group of each record of these views, one after the other."""
    parts = [
        subgroups(getattr(data, view).context, data.context_schema, data.train.context)
        for view in views
    ]
    shared = [field for field in parts[0] if all(field in part for part in parts)]
    return {field: np.concatenate([part[field] for part in parts]) for field in shared}


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


def _coverage(data: EvalData, seed: int) -> dict[str, BySubgroup]:
    reached = covered(data.holdout.embedding, data.synthetic.embedding)
    subjects = data.holdout.samples.subject_ids
    groups = _groups(data, "holdout")
    return _by(groups, lambda rows: float(reached[rows].mean()), subjects, Goal.MAXIMISE, seed)


def _utility(data: EvalData, seed: int) -> dict[str, BySubgroup]:
    if not has_target(data):
        return {}
    train, test = labelled(data, data.synthetic, data.holdout)
    measure = measure_of(data)
    truth, predicted, _ = predictions(train.x, train.y, test.x, test.y, measure=measure, seed=seed)
    known = _known(data)
    groups = {field: labels[known] for field, labels in _groups(data, "holdout").items()}
    groups.pop(data.target, None)  # within one class there is nothing to predict
    subjects = np.asarray(test.subjects)

    def score(rows: npt.NDArray) -> float:
        return float(SCORES[measure](truth[rows], predicted[rows]))

    return _by(groups, score, subjects, Goal.MAXIMISE, seed)


def _known(data: EvalData) -> npt.NDArray[np.bool_]:
    view = data.holdout
    cells = view.context if data.target in view.context else view.findings
    known: npt.NDArray[np.bool_] = cells[data.target].notna().to_numpy()
    return known
