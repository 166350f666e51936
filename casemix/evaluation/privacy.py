"""Privacy: do synthetic records give away who was in the training data?

Nearest-record distances describe; they are no evidence of safety (2505.01524). Membership
inference attacks, and the control arm shows what the same attack scores when there is nothing
to find.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from casemix.errors import EvaluationError
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
    standardisation,
    whitening,
)

_FEWEST = 8  # records per arm: below, densities and intervals mean nothing
_COPY = 1e-9  # a distance below this, on unit-variance columns, is rounding


@dataclass(frozen=True)
class NearestRecord:
    """Distances to the nearest training record: a description, not a privacy guarantee.

    Attributes:
        synthetic_to_train: median distance of synthetic records to their nearest training record.
        holdout_to_train: the same for held-out real records: what is normal for new people.
        ratio: the first over the second; well below 1 points to memorised records. Infinite
            where the held-out distance is 0.
        interval: of the ratio, subjects of both arms resampled.
        closer_to_train: share of synthetic records nearer to a training than to a held-out record,
            from equally many of each; 0.5 is ideal. Ties count half.
        exact_copies: share of synthetic records equal to a training record, beyond rounding.
    """

    synthetic_to_train: float
    holdout_to_train: float
    ratio: float
    interval: tuple[float, float]
    closer_to_train: Estimate
    exact_copies: float


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


def nearest_record(
    train: npt.ArrayLike,
    holdout: npt.ArrayLike,
    synthetic: npt.ArrayLike,
    *,
    holdout_subjects: npt.ArrayLike | None = None,
    synthetic_subjects: npt.ArrayLike | None = None,
    seed: int,
) -> NearestRecord:
    """Describe how near synthetic records come to training records.

    Columns are standardised on the training records.

    Args:
        train: (n, d) records the generator was fitted on.
        holdout: (m, d) real records it never saw, of other subjects.
        synthetic: (s, d) generated records.
        holdout_subjects: (m,) whose the held-out records are; each its own if None.
        synthetic_subjects: (s,) the same of the generated ones.
        seed: seed of the draw of equal sizes and of the bootstrap.

    Raises:
        EvaluationError: fewer than 8 rows in an arm, other columns, or values not finite.
    """
    fitted, fresh, made = _arms(train, holdout, synthetic)
    scale = standardisation(fitted)
    fitted, fresh, made = scale(fitted), scale(fresh), scale(made)
    rng = np.random.default_rng(seed)
    size = min(len(fitted), len(fresh))
    some_fitted = fitted[rng.permutation(len(fitted))[:size]]
    some_fresh = fresh[rng.permutation(len(fresh))[:size]]
    gap = cdist(made, some_fresh).min(axis=1) - cdist(made, some_fitted).min(axis=1)
    closer = (np.sign(gap) + 1) / 2
    of_made = bootstrap_rows(as_subjects(synthetic_subjects, len(made)), seed=seed)
    of_fresh = bootstrap_rows(as_subjects(holdout_subjects, len(fresh)), seed=seed + 1)
    draws = [closer[rows].mean() for rows in of_made]
    to_train, usual = (cdist(arm, fitted).min(axis=1) for arm in (made, fresh))
    normal, median = float(np.median(usual)), float(np.median(to_train))
    medians = [
        (np.median(to_train[a]), np.median(usual[b]))
        for a, b in zip(of_made, of_fresh, strict=True)
    ]
    ratios = [a / b if b > 0 else np.nan for a, b in medians]
    return NearestRecord(
        synthetic_to_train=median,
        holdout_to_train=normal,
        ratio=median / normal if normal > 0 else float("inf"),
        interval=percentile_interval(ratios),
        closer_to_train=Estimate(float(closer.mean()), percentile_interval(draws), len(closer)),
        exact_copies=float(np.mean(to_train < _COPY)),
    )


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
    fitted, fresh, made = _arms(train, holdout, synthetic)
    rows = np.arange(len(fresh))
    if reference is None:
        ids = as_subjects(holdout_subjects, len(fresh))
        order = np.random.default_rng([seed, 1]).permutation(np.unique(ids))
        rows = np.flatnonzero(~np.isin(ids, order[len(order) // 2 :]))
        known = np.delete(fresh, rows, axis=0)
    else:
        known = as_matrix(reference, "reference records", rows=_FEWEST)
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


def _arms(*arms: npt.ArrayLike) -> list[FloatArray]:
    names = ("training records", "held-out records", "synthetic records")
    checked = [as_matrix(a, n, rows=_FEWEST) for a, n in zip(arms, names, strict=True)]
    if len({arm.shape[1] for arm in checked}) > 1:
        raise EvaluationError(
            "Training, held-out and synthetic records have different columns.",
            given=[arm.shape[1] for arm in checked],
            allowed="equal numbers of columns",
        )
    return checked


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
    ratio: FloatArray = np.log(np.maximum(to_reference, _COPY)) - np.log(
        np.maximum(to_synthetic, _COPY)
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
