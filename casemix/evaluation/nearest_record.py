"""The nearest training record: how far synthetic records are from it, and how many equal it.

These distances describe; they are no evidence of safety (2505.01524).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from casemix.errors import EvaluationError
from casemix.evaluation.coincidences import excess
from casemix.evaluation.statistics import (
    Estimate,
    FloatArray,
    IntArray,
    as_matrix,
    as_subjects,
    bootstrap_rows,
    percentile_interval,
    standardisation,
)

FEWEST = 8  # records per arm: below, densities and intervals mean nothing
ROUNDING = 1e-9  # a distance below this, on unit-variance columns, is none


@dataclass(frozen=True)
class NearestRecord:
    """Distances to the nearest training record: a description, not a privacy guarantee.

    Attributes:
        synthetic_to_train: median distance of synthetic records to their nearest training record.
        holdout_to_train: the same for held-out real records: what is normal for new people.
        ratio: the first over the second; well below 1 points to memorised records. Infinite
            where the held-out distance is 0: it then says nothing, and only copies can be counted.
        interval: of the ratio, subjects of both arms resampled.
        closer_to_train: share of synthetic records nearer to a training than to a held-out record,
            from equally many of each; 0.5 is ideal. Ties count half.
        exact_copies: share of synthetic records equal to a training record, beyond rounding.
        usual_copies: the same of held-out records: what is equal without being copied.
        copies_p_value: one-sided, of no more exact copies than is usual; subjects change arms.
        unique_copies: share of synthetic records equal to records of one training subject alone.
        usual_unique_copies: the same of held-out records.
        unique_copies_p_value: one-sided, of no more of them than is usual.
    """

    synthetic_to_train: float
    holdout_to_train: float
    ratio: float
    interval: tuple[float, float]
    closer_to_train: Estimate
    exact_copies: float
    usual_copies: float
    copies_p_value: float
    unique_copies: float
    usual_unique_copies: float
    unique_copies_p_value: float


def nearest_record(
    train: npt.ArrayLike,
    holdout: npt.ArrayLike,
    synthetic: npt.ArrayLike,
    *,
    train_subjects: npt.ArrayLike | None = None,
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
        train_subjects: (n,) whose the training records are; each its own if None.
        holdout_subjects: (m,) the same of the held-out ones.
        synthetic_subjects: (s,) the same of the generated ones.
        seed: seed of the draw of equal sizes, of the bootstrap and of the permutations.

    Raises:
        EvaluationError: fewer than 8 rows in an arm, other columns, or values not finite.
    """
    fitted, fresh, made = as_arms(train, holdout, synthetic)
    scale = standardisation(fitted)
    fitted, fresh, made = scale(fitted), scale(fresh), scale(made)
    of_train = as_subjects(train_subjects, len(fitted))
    of_made = as_subjects(synthetic_subjects, len(made))
    of_fresh = as_subjects(holdout_subjects, len(fresh))
    to_train, owners = _nearest(made, fitted, of_train)
    usual, usual_owners = _nearest(fresh, fitted, of_train)
    median, normal = float(np.median(to_train)), float(np.median(usual))
    every = excess(owners > 0, usual_owners > 0, of_made, of_fresh, seed=seed)
    unique = excess(owners == 1, usual_owners == 1, of_made, of_fresh, seed=seed)
    redrawn = bootstrap_rows(of_made, seed=seed)
    return NearestRecord(
        synthetic_to_train=median,
        holdout_to_train=normal,
        ratio=median / normal if normal > 0 else float("inf"),
        interval=_ratio_interval(to_train, usual, redrawn, bootstrap_rows(of_fresh, seed=seed + 1)),
        closer_to_train=_closer(fitted, fresh, made, redrawn, seed=seed),
        exact_copies=every.made,
        usual_copies=every.held_out,
        copies_p_value=every.p_value,
        unique_copies=unique.made,
        usual_unique_copies=unique.held_out,
        unique_copies_p_value=unique.p_value,
    )


def _nearest(
    records: FloatArray, fitted: FloatArray, of_train: IntArray
) -> tuple[FloatArray, IntArray]:
    """Return each record's distance to train, and how many training subjects have its equal."""
    distances = cdist(records, fitted)  # (k, n)
    row, column = np.nonzero(distances < ROUNDING)
    subjects = int(of_train.max()) + 1
    owned = np.unique(row * subjects + of_train[column]) // subjects  # one entry per owner
    return distances.min(axis=1), np.bincount(owned, minlength=len(records))


def _ratio_interval(
    to_train: FloatArray, usual: FloatArray, of_made: list[IntArray], of_fresh: list[IntArray]
) -> tuple[float, float]:
    """Return the interval of the ratio of median distances, given each arm's bootstrap rows."""
    medians = [
        (np.median(to_train[a]), np.median(usual[b]))
        for a, b in zip(of_made, of_fresh, strict=True)
    ]
    return percentile_interval([a / b if b > 0 else np.nan for a, b in medians])


def _closer(
    fitted: FloatArray, fresh: FloatArray, made: FloatArray, redrawn: list[IntArray], *, seed: int
) -> Estimate:
    """Return the share of synthetic records nearer to one of equally many training records."""
    rng = np.random.default_rng(seed)
    size = min(len(fitted), len(fresh))
    some_fitted = fitted[rng.permutation(len(fitted))[:size]]
    some_fresh = fresh[rng.permutation(len(fresh))[:size]]
    gap = cdist(made, some_fresh).min(axis=1) - cdist(made, some_fitted).min(axis=1)
    closer = (np.sign(gap) + 1) / 2
    draws = [closer[rows].mean() for rows in redrawn]
    return Estimate(float(closer.mean()), percentile_interval(draws), len(closer))


def as_arms(*arms: npt.ArrayLike) -> list[FloatArray]:
    """Return training, held-out and synthetic records as matrices of equally many columns.

    Raises:
        EvaluationError: fewer than 8 rows in an arm, other columns, or values not finite.
    """
    names = ("training records", "held-out records", "synthetic records")
    checked = [as_matrix(a, n, rows=FEWEST) for a, n in zip(arms, names, strict=True)]
    if len({arm.shape[1] for arm in checked}) > 1:
        raise EvaluationError(
            "Training, held-out and synthetic records have different columns.",
            given=[arm.shape[1] for arm in checked],
            allowed="equal numbers of columns",
        )
    return checked
