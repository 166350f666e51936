"""A-to-B utility: does a model that learnt B from A on synthetic pairs hold for real ones?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import RidgeCV

from casemix.errors import EvaluationError
from casemix.evaluation.critic import Critic
from casemix.evaluation.statistics import (
    Estimate,
    FloatArray,
    as_matrix,
    bootstrap_weights,
    percentile_interval,
    standardisation,
)

_STRENGTHS = np.logspace(0, 5, 11)  # of ridge, chosen by leave-one-out on the training pairs
_CLIP = 5.0  # standard deviations of the predictors
_FEWEST = 20  # pairs


def translation(
    critic: Critic,
    train: tuple[npt.ArrayLike, npt.ArrayLike],
    test: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    seed: int,
    repeats: int = 200,
) -> Estimate | None:
    """Train ridge regression from the first view to the second, test it on real held-out pairs.

    The targets are the second view's canonical variates, those that real patients let one predict;
    the score is the mean R2 of the predictions, weighted by the squared canonical correlation. With
    real training pairs it is the ceiling, with shuffled ones about 0 or below.

    Args:
        critic: fitted to real training pairs, first view first.
        train: (n, d_a) and (n, d_b), row i is subject i: the pairs under test.
        test: (m, d_a) and (m, d_b) of real held-out subjects.
        seed: seed of the bootstrap.
        repeats: bootstrap samples of the held-out subjects.

    Returns:
        R2, at most 1, or None where real pairs show nothing to predict.

    Raises:
        EvaluationError: fewer than 20 pairs, rows that do not pair, or values not finite.
    """
    x, y = (as_matrix(v, "training pairs", rows=_FEWEST) for v in train)
    test_x, test_y = (as_matrix(v, "held-out pairs", rows=_FEWEST) for v in test)
    if len(x) != len(y) or len(test_x) != len(test_y):
        raise EvaluationError(
            "The two views do not pair: row i of both must be the same subject.",
            given=f"{len(x)} and {len(y)}, {len(test_x)} and {len(test_y)} rows",
            allowed="equal numbers of rows",
        )
    known = critic.correlations > 0
    if not known.any():
        return None
    scale = standardisation(x)
    model = RidgeCV(_STRENGTHS).fit(_clipped(scale(x)), critic.second(y)[:, known])
    predicted = model.predict(_clipped(scale(test_x))).reshape(len(test_x), -1)
    truth = critic.second(test_y)[:, known]
    weights = np.vstack(
        [np.ones(len(truth)), bootstrap_weights(len(truth), seed=seed, repeats=repeats)]
    )
    each = _explained(predicted, truth, weights)  # (repeats + 1, k)
    share = critic.correlations[known] ** 2
    values = each @ share / share.sum()
    return Estimate(float(values[0]), percentile_interval(values[1:]), len(truth))


def _clipped(values: FloatArray) -> FloatArray:
    clipped: FloatArray = np.clip(values, -_CLIP, _CLIP)
    return clipped


def _explained(predicted: FloatArray, truth: FloatArray, weights: FloatArray) -> FloatArray:
    """Return R2 of each column of predictions (m, k), per weighting (repeats, m)."""
    total = weights.sum(axis=1, keepdims=True)
    spread = weights @ truth**2 / total - (weights @ truth / total) ** 2
    error = weights @ (truth - predicted) ** 2 / total
    found: FloatArray = 1 - error / np.maximum(spread, 1e-12)
    return found
