"""How often a subject's own pair outscores a pair with one side exchanged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from casemix.errors import EvaluationError
from casemix.evaluation.context import derangement
from casemix.evaluation.statistics import (
    Estimate,
    FloatArray,
    bootstrap_weights,
    percentile_interval,
)

FEWEST = 20  # subjects per arm
_FLOORS = 8  # permutations averaged for an arm's floor


@dataclass(frozen=True)
class Arm:
    """Matched AUC of one cohort and of its permuted control, with paired bootstrap draws.

    Attributes:
        auc: chance that a subject's own pair outscores an exchanged one.
        floor: the same for permuted pairs.
        draws: (repeats,) bootstrap values of ``auc``.
        floor_draws: (repeats,) bootstrap values of ``floor`` for the same resamples.
        n: subjects.
    """

    auc: float
    floor: float
    draws: FloatArray
    floor_draws: FloatArray
    n: int


def measure_arm(
    scores: FloatArray, comparable: npt.NDArray[np.bool_], *, seed: int, repeats: int = 200
) -> Arm:
    """Return the matched AUC of a score matrix and of its permuted control.

    Args:
        scores: (n, n) score of first view i with second view j; own pairs on the diagonal.
        comparable: (n, n) True where subject j may stand in for subject i.
        seed: seed of permutations and bootstrap.
        repeats: bootstrap samples.

    Raises:
        EvaluationError: fewer than 20 subjects.
    """
    n = len(scores)
    if n < FEWEST:
        raise EvaluationError(
            "Too few subjects to measure linkage.",
            given=f"{n} subjects with both views",
            allowed=f"at least {FEWEST}",
            next_step="Evaluate on more subjects.",
        )
    weights = np.vstack([np.ones(n), bootstrap_weights(n, seed=seed, repeats=repeats)])
    matched = _weighted_auc(scores, comparable, weights)
    floors = []
    for step in range(_FLOORS):
        moved = derangement(comparable, seed=seed * _FLOORS + step)
        # A stand-in that brings i's true partner is no control: leave it out.
        meets_partner = moved[None, :] == np.arange(n)[:, None]
        floors.append(_weighted_auc(scores[:, moved], comparable & ~meets_partner, weights))
    floor = np.mean(floors, axis=0)
    return Arm(float(matched[0]), float(floor[0]), matched[1:], floor[1:], n)


def matched_auc(
    scores: FloatArray,
    comparable: npt.NDArray[np.bool_] | None = None,
    *,
    seed: int,
    repeats: int = 200,
) -> Estimate:
    """Return the chance that own pairs outscore exchanged ones, 0.5 for unrelated views.

    Args:
        scores: (n, n) from `Critic.scores`; own pairs on the diagonal.
        comparable: (n, n) True where j may stand in for i; all others if None.
        seed: seed of the bootstrap.
        repeats: bootstrap samples.
    """
    n = len(scores)
    allowed = ~np.eye(n, dtype=bool) if comparable is None else comparable
    weights = np.vstack([np.ones(n), bootstrap_weights(n, seed=seed, repeats=repeats)])
    values = _weighted_auc(scores, allowed, weights)
    return Estimate(float(values[0]), percentile_interval(values[1:]), n)


def _weighted_auc(
    scores: FloatArray, comparable: npt.NDArray[np.bool_], weights: FloatArray
) -> FloatArray:
    """Return the matched AUC for each row of subject weights (repeats, n)."""
    own = np.diag(scores)
    wins = _beats(own[:, None], scores) / 2 + _beats(own[None, :], scores) / 2
    counted = comparable.astype(np.float64)
    won = ((weights @ (wins * counted)) * weights).sum(axis=1)
    compared = ((weights @ counted) * weights).sum(axis=1)
    return np.divide(won, compared, out=np.full(len(weights), np.nan), where=compared > 0)


def _beats(own: FloatArray, other: FloatArray) -> FloatArray:
    """Return 1 where own is larger, 0.5 at a tie, 0 else."""
    difference: FloatArray = (np.sign(own - other) + 1) / 2
    return difference
