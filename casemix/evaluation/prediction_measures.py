"""How good predictions are: AUROC, R2, rank correlation, and concordance of survival."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from casemix.evaluation.statistics import FloatArray, IntArray, auc
from casemix.evaluation.survival import c_index_of, can_be_ordered, check_follow_up

Measure = Literal["auroc", "r2", "spearman", "c_index"]


def scores_of(
    measure: Measure, reference: npt.NDArray, scores: FloatArray, samples: list[IntArray]
) -> FloatArray:
    """Return the measure of each sample of rows, (samples,)."""
    if measure == "c_index":
        return c_index_of(reference, scores, samples)
    return np.array([SCORES[measure](reference[rows], scores[rows]) for rows in samples])


def unjudgeable(target: npt.NDArray, measure: Measure) -> str:
    """Return why no prediction of these test targets can be judged, or ``""``."""
    if measure == "c_index":
        check_follow_up(target)
        return "" if can_be_ordered(target) else "no two test records can be ordered in time"
    return "" if len(np.unique(target)) > 1 else "the test target is constant"


def _macro_auc(labels: npt.NDArray, scores: FloatArray) -> float:
    """Mean one-against-rest AUC over the classes that the labels hold; NaN with fewer than two."""
    if scores.shape[1] == 2:
        return auc(scores[:, 1], labels == 1)
    per_class = [auc(scores[:, c], labels == c) for c in np.unique(labels)]
    return float(np.mean(per_class))


def _r2(target: npt.NDArray, predicted: FloatArray) -> float:
    spread = float(np.sum((target - target.mean()) ** 2))
    if spread == 0:
        return float("nan")
    return 1.0 - float(np.sum((target - predicted) ** 2)) / spread


def _spearman(target: npt.NDArray, predicted: FloatArray) -> float:
    """Rank correlation; 0 for a constant prediction, which orders nothing."""
    if np.ptp(target) == 0:
        return float("nan")
    if np.ptp(predicted) == 0:
        return 0.0
    return float(np.corrcoef(rankdata(target), rankdata(predicted))[0, 1])


def _c_index(target: npt.NDArray, risk: FloatArray) -> float:
    return float(c_index_of(target, risk, [np.arange(len(target))])[0])


#: Measures of (m,) targets and predictions: class codes and (m, classes), numbers and (m,), or
#: follow-up and risks (m,).
SCORES: Mapping[Measure, Callable[[npt.NDArray, FloatArray], float]] = {
    "auroc": _macro_auc,
    "r2": _r2,
    "spearman": _spearman,
    "c_index": _c_index,
}
