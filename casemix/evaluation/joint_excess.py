"""Joint excess: is the pair of two views told from real more easily than either view alone?

A cohort can look real in each modality and still join them wrongly. A two-sample classifier that
sees both views, and how they go together, then beats the better of those that see one view.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from casemix.evaluation.critic import Critic
from casemix.evaluation.fidelity import held_out_scores
from casemix.evaluation.statistics import (
    Estimate,
    FloatArray,
    auc,
    bootstrap_rows,
    percentile_interval,
)

_CLIP = 3.5  # standard deviations, as in the critic
_MOST = 16  # canonical variates per view


@dataclass(frozen=True)
class JointExcess(Estimate):
    """How much the pair betrays beyond its parts.

    Attributes:
        joint: C2ST AUC of a classifier of both views.
        first: that of the first view alone.
        second: that of the second view alone.
    """

    joint: float
    first: float
    second: float


def joint_excess(
    critic: Critic,
    real: tuple[FloatArray, FloatArray],
    synthetic: tuple[FloatArray, FloatArray],
    *,
    seed: int,
    repeats: int = 200,
) -> JointExcess:
    """Return the C2ST AUC of the joint minus the larger of those of the two views; 0 is ideal.

    The classifiers are ridge-logistic on the canonical variates of both views and their squares;
    the joint one also sees the products of partners, so that it knows more than the two others
    only by how the views go together. Where one view alone is told from real (AUC near 1), little
    is left to exceed: read it beside the link.

    Args:
        critic: fitted to real training pairs; gives the canonical variates.
        real: (n, d_a) and (n, d_b) views of real subjects, row i is subject i.
        synthetic: (m, d_a) and (m, d_b) views of synthetic ones.
        seed: seed of folds and bootstrap.
        repeats: bootstrap samples.

    Returns:
        The excess, in [-1, 0.5], with an interval that resamples the subjects of the held-out
        scores; ``n`` counts the subjects of both arms.

    Raises:
        EvaluationError: too few subjects, or values not finite.

    Reference:
        Lopez-Paz and Oquab, Revisiting classifier two-sample tests, ICLR 2017.
    """
    arms = [_features(critic, *views) for views in (real, synthetic)]
    label = np.repeat([0, 1], [len(arms[0].first), len(arms[1].first)])
    scores = {
        part: held_out_scores(
            getattr(arms[0], part), getattr(arms[1], part), seed=seed, classifier="logistic"
        ).scores
        for part in ("joint", "first", "second")
    }

    def aucs(rows: np.ndarray) -> dict[str, float]:
        return {part: auc(s[rows], label[rows]) for part, s in scores.items()}

    whole = aucs(np.arange(len(label)))
    cut = len(arms[0].first)
    draws = [
        _excess(aucs(np.r_[a, cut + b]))
        for a, b in zip(
            bootstrap_rows(cut, seed=seed, repeats=repeats),
            bootstrap_rows(len(label) - cut, seed=seed + 1, repeats=repeats),
            strict=True,
        )
    ]
    return JointExcess(_excess(whole), percentile_interval(draws), len(label), **whole)


@dataclass(frozen=True)
class _Features:
    """What each classifier sees of one arm, (n, features)."""

    first: FloatArray
    second: FloatArray
    joint: FloatArray


def _features(critic: Critic, first: FloatArray, second: FloatArray) -> _Features:
    u = np.clip(critic.first(first), -_CLIP, _CLIP)[:, :_MOST]
    v = np.clip(critic.second(second), -_CLIP, _CLIP)[:, :_MOST]
    pairs = min(u.shape[1], v.shape[1])
    a, b = np.hstack([u, u**2]), np.hstack([v, v**2])
    return _Features(a, b, np.hstack([a, b, u[:, :pairs] * v[:, :pairs]]))


def _excess(aucs: dict[str, float]) -> float:
    return aucs["joint"] - max(aucs["first"], aucs["second"], 0.5)
