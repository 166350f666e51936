"""The fixed set of downstream models that model validation ranks, from uninformed to forests."""

from __future__ import annotations

from collections.abc import Mapping

from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from casemix.evaluation.utility import on_scaled_columns

_NEIGHBOURS = 15
_TREES = 60  # per forest
_ROUNDS = 40  # of boosting

#: Models that know their training records by heart, and so betray copies in a test set.
MEMORISING = ("nearest_neighbour", "full_tree")


def classifiers(rows: int, *, seed: int) -> Mapping[str, BaseEstimator]:
    """Return unfitted classifiers by name; all take NaN.

    Args:
        rows: number of training records: bounds the neighbours.
        seed: seed of the random ones.
    """
    state = seed % 2**32
    neighbours = min(_NEIGHBOURS, rows)
    return {
        "uninformed": DummyClassifier(strategy="prior"),
        "stump": on_scaled_columns(DecisionTreeClassifier(max_depth=1, random_state=state)),
        "strong_ridge": on_scaled_columns(_ridge(0.01)),
        "weak_ridge": on_scaled_columns(_ridge(10.0)),
        "naive_bayes": on_scaled_columns(GaussianNB(var_smoothing=1e-3)),
        "neighbours": on_scaled_columns(KNeighborsClassifier(neighbours)),
        "nearest_neighbour": on_scaled_columns(KNeighborsClassifier(1)),
        "small_tree": on_scaled_columns(DecisionTreeClassifier(max_depth=3, random_state=state)),
        "full_tree": on_scaled_columns(DecisionTreeClassifier(random_state=state)),
        "forest": on_scaled_columns(RandomForestClassifier(_TREES, random_state=state)),
        "boosting": HistGradientBoostingClassifier(
            max_iter=_ROUNDS, max_leaf_nodes=8, early_stopping=False, random_state=state
        ),
    }


def regressors(rows: int, *, seed: int) -> Mapping[str, BaseEstimator]:
    """Return unfitted regressors by name; all take NaN. Arguments as of `classifiers`."""
    state = seed % 2**32
    neighbours = min(_NEIGHBOURS, rows)
    return {
        "uninformed": DummyRegressor(),
        "stump": on_scaled_columns(DecisionTreeRegressor(max_depth=1, random_state=state)),
        "strong_ridge": on_scaled_columns(Ridge(1000.0)),
        "weak_ridge": on_scaled_columns(Ridge(1.0)),
        "neighbours": on_scaled_columns(KNeighborsRegressor(neighbours)),
        "nearest_neighbour": on_scaled_columns(KNeighborsRegressor(1)),
        "small_tree": on_scaled_columns(DecisionTreeRegressor(max_depth=3, random_state=state)),
        "full_tree": on_scaled_columns(DecisionTreeRegressor(random_state=state)),
        "forest": on_scaled_columns(RandomForestRegressor(_TREES, random_state=state)),
        "boosting": HistGradientBoostingRegressor(
            max_iter=_ROUNDS, max_leaf_nodes=8, early_stopping=False, random_state=state
        ),
    }


def _ridge(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=2000)
