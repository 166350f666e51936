"""Utility: is a model trained on synthetic records as good on real ones as one trained on real?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import (
    FloatArray,
    IntArray,
    as_matrix,
    auc,
    bootstrap_rows,
    percentile_interval,
)
from casemix.evaluation.survival import (
    c_index_of,
    can_be_ordered,
    check_follow_up,
    cox_risk,
    martingale_residuals,
)

Measure = Literal["auroc", "r2", "spearman", "c_index"]
Model = Literal["ridge", "trees"]
_TREES_FROM = 300  # rows; below, or with fewer than 5 rows per column, a ridge model wins
_REPEATS = 200  # bootstrap samples
_COX_PENALTY = 0.05  # per training record, on standardised columns


@dataclass(frozen=True)
class Utility:
    """How well a trained model does on real test records.

    Attributes:
        value: the measure; None where it is undefined.
        interval: bootstrap over test subjects, or None with the value.
        measure: "auroc" (macro one-against-rest beyond two classes), "r2", "spearman" or
            "c_index" (Harrell).
        n: number of test records.
        note: why the value is None, or what the training data lacked; empty if all is well.
        draws: (repeats,) bootstrap values. The same test records and seed give the same samples,
            so that differences of two models are paired.
    """

    value: float | None
    interval: tuple[float, float] | None
    measure: Measure
    n: int
    note: str = ""
    draws: tuple[float, ...] = ()


@dataclass(frozen=True)
class Gap:
    """Utility lost by training on synthetic records; None where either side is undefined."""

    value: float | None
    interval: tuple[float, float] | None
    note: str = ""


def tstr(
    train_x: npt.ArrayLike,
    train_y: npt.ArrayLike,
    test_x: npt.ArrayLike,
    test_y: npt.ArrayLike,
    *,
    measure: Measure = "auroc",
    model: Model | None = None,
    test_subjects: npt.ArrayLike | None = None,
    seed: int,
) -> Utility:
    """Train on one cohort, test on real held-out records (TSTR; with real training data, TRTR).

    The model is boosted trees, or a ridge model on standardised, median-imputed columns. For
    follow-up times the ridge model is Cox's, and the trees learn martingale residuals. Compare
    only models of the same kind: left to `model_for`, those trained on equally many rows.

    Args:
        train_x: (n, d) features, NaN for missing.
        train_y: (n,) class labels for "auroc", `survival.follow_up` targets for "c_index",
            numbers otherwise.
        test_x: (m, d) real held-out features.
        test_y: (m,) their targets.
        measure: "auroc" classifies; "r2" and "spearman" regress; "c_index" predicts survival.
        model: the kind of model; what `model_for` the training shape says if None.
        test_subjects: (m,) subject of each test row, for the interval; each its own if None.
        seed: seed of model and bootstrap.

    Returns:
        The measure over the test rows; its interval resamples test subjects and leaves out what
        another training set would change. A class that is missing in training scores as chance,
        and so does survival without any event in training. A constant test target, or test
        records that cannot be ordered in time, leave it undefined.

    Raises:
        EvaluationError: wrong shapes, infinite features, targets not finite in regression, or
            not of `survival.follow_up` for "c_index".

    Reference:
        Esteban et al., 2017 (1706.02633).
    """
    target = np.asarray(test_y)
    if reason := unjudgeable(target, measure):
        return Utility(None, None, measure, len(target), note=reason)
    reference, scores, note = predictions(
        train_x, train_y, test_x, test_y, measure=measure, model=model, seed=seed
    )
    return judged(
        reference, scores, measure=measure, test_subjects=test_subjects, note=note, seed=seed
    )


def judged(
    reference: npt.NDArray,
    scores: FloatArray,
    *,
    measure: Measure,
    test_subjects: npt.ArrayLike | None = None,
    note: str = "",
    seed: int,
) -> Utility:
    """Return how good predictions are, with an interval over test subjects; see `tstr`.

    Args:
        reference: (m,) test targets as `SCORES` takes them.
        scores: predictions of them.
        measure: how they are compared.
        test_subjects: (m,) subject of each test row; each its own if None.
        note: goes into the result.
        seed: seed of the bootstrap.
    """
    subjects = np.arange(len(reference)) if test_subjects is None else test_subjects
    samples = bootstrap_rows(subjects, seed=seed, repeats=_REPEATS)
    draws = tuple(scores_of(measure, reference, scores, samples))
    value = SCORES[measure](reference, scores)
    return Utility(value, percentile_interval(draws), measure, len(reference), note, draws)


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


def predictions(
    train_x: npt.ArrayLike,
    train_y: npt.ArrayLike,
    test_x: npt.ArrayLike,
    test_y: npt.ArrayLike,
    *,
    measure: Measure = "auroc",
    model: Model | None = None,
    seed: int,
) -> tuple[npt.NDArray, FloatArray, str]:
    """Return test targets, predictions (both as `SCORES` takes them) and a note; see `tstr`."""
    x = as_matrix(train_x, "training features", nan=True)
    test = as_matrix(test_x, "test features", rows=1, nan=True)
    y, target = np.asarray(train_y), np.asarray(test_y)
    _check(x, y, test, target)
    judges = {"auroc": _classify, "c_index": _survive}
    judge = judges.get(measure, _regress)
    return judge(x, y, test, target, model or model_for(x.shape), seed=seed)


def model_for(shape: tuple[int, int]) -> Model:
    """Return the kind of model that suits (rows, columns): trees need 300 rows, 5 per column."""
    rows, columns = shape
    return "ridge" if rows < max(_TREES_FROM, 5 * columns) else "trees"


def utility_gap(synthetic: Utility, real: Utility) -> Gap:
    """Return the real-trained minus the synthetic-trained value, with a paired interval.

    Both must come from `tstr` with the same test records, measure and seed. 0 is ideal, above 0
    synthetic training data are worse.

    Raises:
        EvaluationError: the two were not measured alike.
    """
    if (synthetic.measure, synthetic.n) != (real.measure, real.n):
        raise EvaluationError(
            "Utilities can be compared only on the same test records and measure.",
            given=f"{synthetic.measure} on {synthetic.n} and {real.measure} on {real.n} records",
        )
    if synthetic.value is None or real.value is None:
        return Gap(None, None, synthetic.note or real.note)
    draws = np.asarray(real.draws) - np.asarray(synthetic.draws)
    return Gap(real.value - synthetic.value, percentile_interval(draws), synthetic.note)


def _check(x: FloatArray, y: npt.NDArray, test: FloatArray, target: npt.NDArray) -> None:
    if y.shape != (len(x),) or target.shape != (len(test),) or x.shape[1] != test.shape[1]:
        raise EvaluationError(
            "Features and targets do not fit together.",
            given=f"train {x.shape} with {y.shape}, test {test.shape} with {target.shape}",
            allowed="train (n, d) with (n,), test (m, d) with (m,)",
        )


def _classify(
    x: FloatArray, y: npt.NDArray, test: FloatArray, target: npt.NDArray, kind: Model, *, seed: int
) -> tuple[npt.NDArray, FloatArray, str]:
    """Return the test labels as 0..c-1 (m,), class scores (m, c) and a note on absent classes."""
    classes, labels = np.unique(target.astype(str), return_inverse=True)
    absent = sorted(set(classes) - set(y.astype(str)))
    note = f"no training record of class {', '.join(absent)}" if absent else ""
    return labels, _class_scores(x, y.astype(str), test, classes, kind, seed=seed), note


def _regress(
    x: FloatArray, y: npt.NDArray, test: FloatArray, target: npt.NDArray, kind: Model, *, seed: int
) -> tuple[npt.NDArray, FloatArray, str]:
    """Return the test targets (m,), predictions (m,) and a note on a constant prediction."""
    numbers = as_matrix(y, "training target")[:, 0]
    predicted = _predict_numbers(x, numbers, test, kind, seed=seed)
    note = "" if np.ptp(predicted) > 0 else "the model predicts a constant"
    return as_matrix(target, "test target", rows=1)[:, 0], predicted, note


def _survive(
    x: FloatArray, y: npt.NDArray, test: FloatArray, target: npt.NDArray, kind: Model, *, seed: int
) -> tuple[npt.NDArray, FloatArray, str]:
    """Return the test targets (m,), risks (m,) and a note on training without events."""
    check_follow_up(y)
    if not y["event"].any():
        return target, np.zeros(len(test)), "no training record has the event"
    if kind == "ridge":
        return target, cox_risk(x, y, test, penalty=_COX_PENALTY), ""
    return target, _predict_numbers(x, martingale_residuals(y), test, kind, seed=seed), ""


def on_scaled_columns(model: BaseEstimator) -> BaseEstimator:
    """Return the model behind median imputation and standardisation."""
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    return make_pipeline(imputer, StandardScaler(), model)


def _class_scores(
    x: FloatArray,
    y: npt.NDArray,
    test: FloatArray,
    classes: npt.NDArray,
    kind: Model,
    *,
    seed: int,
) -> FloatArray:
    """Return probabilities (m, classes); 0 throughout for a class absent from y."""
    if len(np.unique(y)) < 2:
        return np.zeros((len(test), len(classes)))
    if kind == "ridge":
        model = on_scaled_columns(LogisticRegression(C=0.1, max_iter=2000))
    else:
        model = HistGradientBoostingClassifier(
            max_iter=100, max_leaf_nodes=15, early_stopping=False, random_state=seed % 2**32
        )
    return class_probabilities(model.fit(x, y), test, classes)


def class_probabilities(model: BaseEstimator, test: FloatArray, classes: npt.NDArray) -> FloatArray:
    """Return a fitted classifier's probabilities (m, classes); 0 for a class it never saw."""
    scores = np.zeros((len(test), len(classes)))
    predicted = model.predict_proba(test)
    column = {name: i for i, name in enumerate(model.classes_)}
    for i, name in enumerate(classes):
        if name in column:
            scores[:, i] = predicted[:, column[name]]
    return scores


def _predict_numbers(
    x: FloatArray, y: FloatArray, test: FloatArray, kind: Model, *, seed: int
) -> FloatArray:
    if kind == "ridge":
        model = on_scaled_columns(Ridge(alpha=10.0))
    else:
        model = HistGradientBoostingRegressor(
            max_iter=100, max_leaf_nodes=15, early_stopping=False, random_state=seed % 2**32
        )
    return np.asarray(model.fit(x, y).predict(test), dtype=np.float64)


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
