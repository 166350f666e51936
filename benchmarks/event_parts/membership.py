"""Can it be seen from made histories who was in the training data?"""

from __future__ import annotations

import numpy as np

from casemix.core.samples import Samples
from casemix.evaluation.privacy import domias
from casemix.evaluation.statistics import auc, bootstrap_rows, percentile_interval
from casemix.modalities.events.copied_runs import CodeRows, longest_shared, novel_share
from casemix.modalities.events.evaluators.standard import Standard

_RUN = 3  # events


def membership(train: Samples, held_out: Samples, made: Samples, seed: int) -> dict[str, float]:
    """Return the AUC of two attacks, each beside the interval of its control arm; 0.5 is ideal.

    ``member``: DOMIAS on the evaluator's embedding, as `casemix evaluate` computes it: the embedder
    knows one half of the training subjects, the other half is attacked.
    ``member_runs``: a history is called a member where more of its runs of codes stand in a made
    history than in one of as many held-out ones.
    """
    order = np.random.default_rng(seed).permutation(len(train))
    known, members = np.array_split(order, 2)
    view = Standard().fit(train.take(known), seed=seed)
    arms = [view.embed(samples) for samples in (train.take(members), held_out, made)]
    found = domias(*arms, seed=seed)
    result = {"member": found.auc.value}
    result |= dict(zip(("member_low", "member_high"), found.control.interval, strict=True))
    return result | shared_runs(train, held_out, made, seed)


def shared_runs(train: Samples, held_out: Samples, made: Samples, seed: int) -> dict[str, float]:
    """Return the AUC and the control interval of the attack by shared runs of codes."""
    order = np.random.default_rng(seed + 1).permutation(len(held_out))
    reference, others = (held_out.take(rows) for rows in np.array_split(order, 2))
    same = made.take(np.arange(min(len(made), len(reference))))
    arms = [samples.payload for samples in (train, others, same, reference)]
    members, fresh, drawn, real = CodeRows.of(*arms)
    scores = [_more_shared(rows, drawn, real) for rows in (members, fresh)]
    halves = np.array_split(np.random.default_rng(seed).permutation(len(train)), 2)
    low, high = _interval(*(scores[0][rows] for rows in halves), seed)
    return {"member_runs": _auc(*scores), "member_runs_low": low, "member_runs_high": high}


def _more_shared(rows: CodeRows, made: CodeRows, real: CodeRows) -> np.ndarray:
    """Return how much more each history shares with made than with real ones, (n,)."""
    runs = [1 - np.nan_to_num(novel_share(rows, arm, _RUN), nan=1.0) for arm in (made, real)]
    longest = [np.log1p(longest_shared(rows, arm)) for arm in (made, real)]
    return runs[0] - runs[1] + longest[0] - longest[1]


def _auc(members: np.ndarray, others: np.ndarray) -> float:
    return auc(np.r_[members, others], np.repeat([1, 0], [len(members), len(others)]))


def _interval(first: np.ndarray, second: np.ndarray, seed: int) -> tuple[float, float]:
    """Return the interval of the AUC of two arms, subjects resampled."""
    draws = [
        _auc(first[a], second[b])
        for a, b in zip(
            bootstrap_rows(len(first), seed=seed),
            bootstrap_rows(len(second), seed=seed + 1),
            strict=True,
        )
    ]
    return percentile_interval(draws)
