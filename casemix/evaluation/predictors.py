"""The models that learn from one cohort and predict another: boosted trees, or a ridge model."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from casemix.errors import EvaluationError
from casemix.evaluation.prediction_measures import Measure
from casemix.evaluation.statistics import FloatArray, as_matrix
from casemix.evaluation.survival import check_follow_up, cox_risk, martingale_residuals

Model = Literal["ridge", "trees"]
_TREES_FROM = 300  # rows; below, or with fewer than 5 rows per column, a ridge model wins
_COX_PENALTY = 0.05  # per training record, on standardised columns


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
    """Return test targets, predictions (both as `SCORES` takes them) and a note.

    Arguments and errors as for `casemix.evaluation.utility.tstr`.
    """
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
