"""How faithful and useful the rows of a method are, beside held-out real rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from casemix.core.fields import Kind, Schema
from casemix.evaluation import quality_report
from casemix.evaluation.fidelity import c2st
from tabular_parts.data import SUBJECT, Part

_FOLDS = 3
_MOST_LEVELS = 250  # of a column that the trees split as levels; beyond, by their order


def two_samples(real: pd.DataFrame, made: pd.DataFrame, part: Part, seed: int) -> dict[str, float]:
    """Return the AUC of two critics at equal n, folds by patient; 0.5 is ideal.

    ``c2st``: casemix's own, which merges levels beyond the 50 most frequent; ``c2st_levels``:
    boosted trees that see every level.
    """
    n = min(len(real), len(made))
    a, b = (_some(rows, n, seed + k) for k, rows in ((11, real), (22, made)))
    own = c2st(
        a[part.names],
        b[part.names],
        subjects_real=owners(a),
        subjects_synthetic=owners(b),
        seed=seed,
        folds=_FOLDS,
    )
    x, categorical = encoded(pd.concat([a, b]), part.schema)
    y, groups = np.repeat([0, 1], n), np.r_[owners(a), owners(b) + n]
    scores = np.zeros(2 * n)
    for fit, test in GroupKFold(_FOLDS).split(x, y, groups):
        trees = HistGradientBoostingClassifier(
            max_iter=100, categorical_features=categorical, early_stopping=False, random_state=seed
        )
        scores[test] = trees.fit(x[fit], y[fit]).predict_proba(x[test])[:, 1]
    return {"c2st": own.value, "c2st_levels": float(roc_auc_score(y, scores))}


def utility(fit: pd.DataFrame, test: pd.DataFrame, part: Part, seed: int) -> float:
    """Return the AUROC on real held-out rows of boosted trees that were trained on other rows."""
    name, level = part.target
    schema = Schema(tuple(f for f in part.schema if f.name != name))
    (x, categorical), (z, _) = encoded(fit, schema), encoded(test, schema)
    y = (fit[name] == level).to_numpy()
    if y.all() or not y.any():
        return 0.5
    model = HistGradientBoostingClassifier(
        max_iter=150, learning_rate=0.05, categorical_features=categorical, random_state=seed
    )
    truth = (test[name] == level).to_numpy()
    return float(roc_auc_score(truth, model.fit(x, y).predict_proba(z)[:, 1]))


def similarity(real: pd.DataFrame, made: pd.DataFrame, part: Part) -> dict[str, float]:
    """Return column shapes and pair trends as sdmetrics defines them; 1 is ideal."""
    a, b = real[part.names], made[part.names]
    return {
        "shapes": quality_report.column_shapes(a, b).value,
        "trends": quality_report.pair_trends(a, b).value,
    }


def encoded(rows: pd.DataFrame, schema: Schema) -> tuple[np.ndarray, list[bool]]:
    """Return cells as numbers, NaN where missing, and which columns are levels to trees."""
    columns = []
    for f in schema:
        if f.kind is Kind.NUMERIC:
            columns.append(rows[f.name].to_numpy(dtype=float))
        else:
            position = {level: i for i, level in enumerate(f.levels)}
            columns.append(rows[f.name].map(position).to_numpy(dtype=float, na_value=np.nan))
    levels = [f.kind is not Kind.NUMERIC and len(f.levels) <= _MOST_LEVELS for f in schema]
    return np.column_stack(columns), levels


def owners(rows: pd.DataFrame) -> np.ndarray:
    """Return the subject of each row as a number; a made row is its own."""
    return pd.factorize(rows[SUBJECT])[0] if SUBJECT in rows else np.arange(len(rows))


def _some(rows: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    return rows.iloc[np.random.default_rng(seed).permutation(len(rows))[:n]]
