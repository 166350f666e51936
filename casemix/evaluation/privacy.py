"""Privacy: do synthetic records give away who was in the training data?

Membership inference attacks, and the control arm shows what the same attack scores when there is
nothing to find. What copies show of themselves is in `casemix.evaluation.nearest_record`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from casemix.evaluation.nearest_record import FEWEST, ROUNDING, as_arms
from casemix.evaluation.statistics import (
    Affine,
    Estimate,
    FloatArray,
    IntArray,
    as_matrix,
    as_subjects,
    auc,
    bootstrap_rows,
    percentile_interval,
    whitening,
)


@dataclass(frozen=True)
class MembershipInference:
    """What a membership-inference attack achieves; AUC 0.5 is ideal.

    Attributes:
        auc: AUC of members against non-members, interval over subjects.
        tpr_at_1_percent: share of members found at no more than 1 % false positives. Fewer than
            100 non-members make that no false positive at all.
        control: the same attack on two random halves of the members, where there is nothing to
            find: an ``auc`` inside this interval is noise.
        members: how many members were attacked.
        non_members: how many non-members they were told from.
    """

    auc: Estimate
    tpr_at_1_percent: Estimate
    control: Estimate
    members: int
    non_members: int


def domias(
    train: npt.ArrayLike,
    holdout: npt.ArrayLike,
    synthetic: npt.ArrayLike,
    *,
    train_subjects: npt.ArrayLike | None = None,
    holdout_subjects: npt.ArrayLike | None = None,
    reference: npt.ArrayLike | None = None,
    dims: int = 8,
    seed: int,
) -> MembershipInference:
    """Attack with the density ratio of synthetic to reference records (DOMIAS).

    A record is called a member where synthetic records are denser around it than real ones are.
    Densities are nearest-neighbour estimates on whitened principal components of the reference
    and synthetic records; the attacker sees no label of train or holdout.

    Args:
        train: (n, d) members.
        holdout: (m, d) non-members. Without ``reference``, a random half of them becomes it.
        synthetic: (s, d) generated records.
        train_subjects: (n,) whose the members are; each its own if None.
        holdout_subjects: whose the held-out records are, (m,). The half is one of subjects, or
            non-members would be known by their siblings in the reference.
        reference: (r, d) further real non-members that the attacker owns.
        dims: most principal components; density estimates fade beyond about ten.
        seed: seed of the halves and of the bootstrap.

    Raises:
        EvaluationError: fewer than 8 rows in an arm, other columns, or values not finite.

    Reference:
        van Breugel et al., AISTATS 2023 (2302.12580); TPR at low FPR: Carlini et al., 2022.
    """
    member_scores, other_scores, attacked = domias_scores(
        train,
        holdout,
        synthetic,
        holdout_subjects=holdout_subjects,
        reference=reference,
        dims=dims,
        seed=seed,
    )
    whose = as_subjects(train_subjects, len(member_scores))
    others = as_subjects(holdout_subjects, len(np.asarray(holdout)))[attacked]
    order = np.random.default_rng(seed).permutation(np.unique(whose))
    left = np.isin(whose, order[: len(order) // 2])
    member, other = _Attacked(member_scores, whose), _Attacked(other_scores, others)
    control = _attack(member.rows(left), member.rows(~left), auc, seed=seed)
    return MembershipInference(
        auc=_attack(member, other, auc, seed=seed),
        tpr_at_1_percent=_attack(member, other, _tpr_at_1_percent, seed=seed),
        control=control,
        members=len(member_scores),
        non_members=len(other_scores),
    )


def domias_scores(
    train: npt.ArrayLike,
    holdout: npt.ArrayLike,
    synthetic: npt.ArrayLike,
    *,
    holdout_subjects: npt.ArrayLike | None = None,
    reference: npt.ArrayLike | None = None,
    dims: int = 8,
    seed: int,
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return the scores of members and of non-members, and the non-members' rows in ``holdout``.

    Arguments and errors as of `domias`.
    """
    fitted, fresh, made = as_arms(train, holdout, synthetic)
    rows = np.arange(len(fresh))
    if reference is None:
        ids = as_subjects(holdout_subjects, len(fresh))
        order = np.random.default_rng([seed, 1]).permutation(np.unique(ids))
        rows = np.flatnonzero(~np.isin(ids, order[len(order) // 2 :]))
        known = np.delete(fresh, rows, axis=0)
    else:
        known = as_matrix(reference, "reference records", rows=FEWEST)
    whiten = whitening(np.concatenate([known, made]), dims)
    of_members = _log_ratio(whiten, fitted, made, known)
    return of_members, _log_ratio(whiten, fresh[rows], made, known), rows


def tpr_at_fpr(scores: npt.ArrayLike, labels: npt.ArrayLike, fpr: float) -> float:
    """Return the share of positives above the threshold that lets at most ``fpr`` negatives pass.

    >>> tpr_at_fpr([0.9, 0.4, 0.5, 0.1], [1, 1, 0, 0], 0.01)
    0.5
    """
    values, positive = np.asarray(scores, dtype=np.float64), np.asarray(labels).astype(bool)
    negatives = np.sort(values[~positive])[::-1]
    threshold = negatives[int(np.floor(fpr * len(negatives)))]
    return float(np.mean(values[positive] > threshold))


def _log_ratio(
    whiten: Affine, records: FloatArray, synthetic: FloatArray, reference: FloatArray
) -> FloatArray:
    """Return log p_synthetic - log p_reference at each record up to a constant, (n,).

    The nearest-neighbour density is 1 / distance^d: it adapts to the local spread and answers to
    leaked copies more sharply than a kernel density. What the two sample sizes add is the same
    for all records.
    """
    at = whiten(records)
    to_synthetic = cdist(at, whiten(synthetic)).min(axis=1)
    to_reference = cdist(at, whiten(reference)).min(axis=1)
    ratio: FloatArray = np.log(np.maximum(to_reference, ROUNDING)) - np.log(
        np.maximum(to_synthetic, ROUNDING)
    )
    return ratio


@dataclass(frozen=True)
class _Attacked:
    """Attack scores (n,) of some records, and whose records they are (n,)."""

    scores: FloatArray
    subjects: IntArray

    def rows(self, chosen: npt.NDArray[np.bool_]) -> _Attacked:
        return _Attacked(self.scores[chosen], self.subjects[chosen])


def _attack(
    members: _Attacked,
    others: _Attacked,
    statistic: Callable[[FloatArray, FloatArray], float],
    *,
    seed: int,
) -> Estimate:
    """Return statistic(scores, labels) with an interval from resampling subjects of each side."""
    draws = [
        statistic(
            np.r_[members.scores[a], others.scores[b]], np.repeat([1.0, 0.0], [len(a), len(b)])
        )
        for a, b in zip(
            bootstrap_rows(members.subjects, seed=seed),
            bootstrap_rows(others.subjects, seed=seed + 1),
            strict=True,
        )
    ]
    labels = np.repeat([1.0, 0.0], [len(members.scores), len(others.scores)])
    value = statistic(np.r_[members.scores, others.scores], labels)
    return Estimate(value, percentile_interval(draws), len(labels))


def _tpr_at_1_percent(scores: FloatArray, labels: FloatArray) -> float:
    return tpr_at_fpr(scores, labels, 0.01)
