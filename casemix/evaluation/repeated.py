"""An evaluation at several seeds: the mean of every score, with an interval for the seed as well.

What a seed decides: which half of train the embedder knows, which subjects fill the arms, folds,
permutations and bootstraps. The cohorts stay the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from casemix.core.metric import Score
from casemix.errors import EvaluationError
from casemix.evaluation.fitness import fitness
from casemix.evaluation.repeats import over_seeds
from casemix.evaluation.statistics import Estimate
from casemix.evaluation.verdicts import verdicts

_ANCHORS = ("ceiling", "floor")


def averaged(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one evaluation of several at different seeds, all of the same cohorts.

    Every score of a metric and of a pair is the mean over the seeds; its details gain ``seeds``
    (the value of each) and ``between_seeds`` (their standard deviation). Where some seed left a
    score undefined, the first seed's entry stays. Subgroups, contradictions and constraints are
    the first seed's; verdicts are drawn anew.

    Args:
        results: what `casemix.evaluation.protocol.evaluate` returned, at least one.

    Raises:
        EvaluationError: no results, or results about different modalities.
    """
    if not results or len({tuple(r["modalities"]) for r in results}) > 1:
        raise EvaluationError(
            "These evaluations cannot be averaged.",
            given=[list(r["modalities"]) for r in results],
            allowed="one or more, about the same modalities",
        )
    first = dict(results[0])
    first["protocol"] = {
        **first["protocol"],
        "seeds": [r["protocol"]["seed"] for r in results],
    }
    first["modalities"] = {
        modality: {
            **judged,
            "metrics": _scores([r["modalities"][modality]["metrics"] for r in results]),
        }
        for modality, judged in first["modalities"].items()
    }
    pairs = [r["linkage"]["pairs"] for r in results]
    first["linkage"] = {
        **first["linkage"],
        "pairs": [_pair(same) for same in zip(*pairs, strict=True)],
    }
    found = verdicts(first)
    return first | {"verdicts": found, "uses": fitness(found)}


def _pair(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    about = {name: entries[0][name] for name in ("a", "b")}
    control = {arm: _scores([e["control"][arm] for e in entries]) for arm in entries[0]["control"]}
    own = [{k: v for k, v in e.items() if k not in ("a", "b", "control")} for e in entries]
    return {**about, **_scores(own), "control": control}


def _scores(entries: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    return {name: _mean([e[name] for e in entries if name in e]) for name in entries[0]}


def _mean(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = dict(scores[0])
    values = [s["value"] for s in scores]
    if len(scores) < 2 or any(v is None for v in values):
        return first
    spread = {"seeds": values, "between_seeds": float(np.std(values, ddof=1))}
    found = {
        **first,
        "value": float(np.mean(values)),
        "interval": _interval(scores),
        "details": {**first["details"], **spread},
    }
    for anchor in _ANCHORS:
        ends = [s[anchor] for s in scores]
        found[anchor] = None if any(e is None for e in ends) else float(np.mean(ends))
    return found | {"relative": _relative(found)}


def _interval(scores: Sequence[Mapping[str, Any]]) -> list[float] | None:
    if any(s["interval"] is None for s in scores):
        return None
    n = min(s["n"] for s in scores)
    return list(
        over_seeds([Estimate(s["value"], tuple(s["interval"]), n) for s in scores]).interval
    )


def _relative(score: Mapping[str, Any]) -> float | None:
    anchors = {name: score[name] for name in _ANCHORS}
    return Score(score["value"], **anchors).relative
