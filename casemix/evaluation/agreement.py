"""Contradictions: what nearly determines one another in real patients, and who breaks it.

No rule is written down. Pairs of findings of different modalities that agree in real training
patients (the ejection fraction in a note and in the mask, the age in a note and in the record),
and levels of the record that a modality shows almost surely (the sex in a note, the group in an
image), are learnt from them; then each patient is held against them.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import spearmanr, theilslopes
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

_STRONG = 0.9  # rank correlation of two findings that are said to agree
_SURE = 0.97  # out-of-fold AUC of a level that a modality is said to show
_SURE_STATED = 0.9  # the same of a statement: words are looser than records
_ALWAYS = 0.995  # share of training patients who make a statement in the same way
_FEWEST = 40  # training patients who have both
_FEWEST_PER_LEVEL = 8
_SLACK = 1.5  # tolerance over the 99th percentile of real deviations
_MOST_FOR_SLOPES = 400  # the slope's median needs no more patients


@dataclass(frozen=True)
class Line:
    """Two findings that lie on a line in real patients.

    Args:
        a: view and finding that is predicted from.
        b: view and finding that is predicted.
        slope: of b over a, median of pairwise slopes (Theil and Sen).
        intercept: of that line.
        tolerance: largest deviation of b that is no contradiction.
        correlation: Spearman's, in real training patients.
    """

    a: tuple[str, str]
    b: tuple[str, str]
    slope: float
    intercept: float
    tolerance: float
    correlation: float

    @property
    def words(self) -> str:
        """What a person reads."""
        return f"{self.a[1]} against {self.b[1]}"

    def broken(self, views: Mapping[str, pd.DataFrame]) -> pd.Series:
        """Return True or False per subject who has both; others are missing."""
        a, b = (views[view][name] for view, name in (self.a, self.b))
        both = pd.concat([a, b], axis=1, join="inner").dropna()
        gap = both.iloc[:, 1] - (self.intercept + self.slope * both.iloc[:, 0])
        return gap.abs() > self.tolerance


@dataclass(frozen=True)
class Fixed:
    """A statement that real patients' records always make in the same way.

    Args:
        view: the modality.
        statement: what is stated, such as ``unit of lvef``.
        level: what it always is.
        share: of the training patients who state it.
    """

    view: str
    statement: str
    level: str
    share: float

    @property
    def words(self) -> str:
        """What a person reads."""
        return f"{self.view}: {self.statement} is {self.level}"

    def broken(self, stated: pd.Series) -> pd.Series:
        """Return True or False per subject who states it; others are missing."""
        return stated.dropna() != self.level


@dataclass(frozen=True)
class Shown:
    """A level, recorded or stated in words, that a modality shows almost surely in real patients.

    Args:
        source: where the level is from: ``context``, or the modality that states it.
        view: the modality that shows it.
        field: the context field, or the statement.
        model: probability of each level from the view's features.
        columns: the features.
        least: probability of the recorded level below which the two contradict.
        auc: out-of-fold, in real training patients.
    """

    source: str
    view: str
    field: str
    model: Pipeline
    columns: tuple[str, ...]
    least: float
    auc: float

    @property
    def words(self) -> str:
        """What a person reads."""
        said = f"recorded {self.field}" if self.source == "context" else self.field
        return f"{said} against {self.view}"

    def broken(self, features: pd.DataFrame, recorded: pd.Series) -> pd.Series:
        """Return True or False per subject who has both; others are missing."""
        known = recorded.reindex(features.index).dropna()
        levels = list(self.model.classes_)
        known = known[known.isin(levels)]
        if known.empty:
            return pd.Series(dtype=bool)
        x = features.loc[known.index, list(self.columns)].to_numpy()
        chances = self.model.predict_proba(x)
        own = chances[np.arange(len(known)), [levels.index(v) for v in known]]
        return pd.Series(own < self.least, index=known.index)


def learn_lines(views: Mapping[str, pd.DataFrame]) -> list[Line]:
    """Return the agreements between numeric findings of different views.

    Args:
        views: view -> numeric findings of real training subjects, index = subject id.
    """
    found = []
    for (one, left), (other, right) in itertools.combinations(views.items(), 2):
        both = left.index.intersection(right.index)
        if len(both) < _FEWEST or not (left.shape[1] and right.shape[1]):
            continue
        joined = pd.concat([left.loc[both], right.loc[both]], axis=1)
        ranks = np.abs(joined.corr("spearman", min_periods=_FEWEST).to_numpy())
        ranks = np.nan_to_num(ranks[: left.shape[1], left.shape[1] :])  # (of left, of right)
        for i, j in enumerate(ranks.argmax(axis=1)):
            if ranks[i, j] >= _STRONG and ranks[:, j].argmax() == i:  # each other's best
                a, b = left.columns[i], right.columns[j]
                line = _line((one, a), (other, b), left.loc[both, a], right.loc[both, b])
                found += [line] if line else []
    return found


def _line(a: tuple[str, str], b: tuple[str, str], x: pd.Series, y: pd.Series) -> Line | None:
    pairs = pd.concat([x, y], axis=1).dropna().to_numpy(dtype=float)
    some = pairs[:: max(1, len(pairs) // _MOST_FOR_SLOPES)]
    slope = theilslopes(some[:, 1], some[:, 0]).slope
    intercept = np.median(pairs[:, 1] - slope * pairs[:, 0])
    gap = np.abs(pairs[:, 1] - (intercept + slope * pairs[:, 0]))
    tolerance = _SLACK * float(np.quantile(gap, 0.99))
    strength = float(spearmanr(pairs).statistic)
    if not np.isfinite([slope, intercept, tolerance]).all():
        return None
    return Line(a, b, float(slope), float(intercept), tolerance + 1e-9, strength)


def learn_fixed(view: str, stated: pd.DataFrame) -> list[Fixed]:
    """Return the statements of a view that real training subjects always make in the same way.

    Args:
        view: the modality.
        stated: its statements, index = subject id.
    """
    found = []
    for name in stated.columns:
        shares = stated[name].dropna().value_counts()
        if shares.sum() >= _FEWEST and shares.iloc[0] >= _ALWAYS * shares.sum():
            share = float(shares.iloc[0] / shares.sum())
            found.append(Fixed(view, str(name), str(shares.index[0]), share))
    return found


def learn_shown(
    features: Mapping[str, pd.DataFrame],
    levels: pd.DataFrame,
    fields: Sequence[str],
    *,
    source: str = "context",
    seed: int,
) -> list[Shown]:
    """Return the recorded or stated levels that a view shows almost surely.

    Args:
        features: view -> features of real training subjects without gaps, index = subject id.
        levels: the same subjects' recorded context, or what another view states.
        fields: its levelled fields.
        source: where they are from.
        seed: seed of the folds.
    """
    found = []
    for view, table in features.items():
        for name in fields:
            recorded = levels[name].reindex(table.index).dropna()
            counts = recorded.value_counts()
            recorded = recorded[recorded.isin(counts.index[counts >= _FEWEST_PER_LEVEL])]
            if len(recorded) < _FEWEST or recorded.nunique() < 2:
                continue
            shown = _shown((source, view, name), table.loc[recorded.index], recorded, seed)
            found += [shown] if shown else []
    return found


def _shown(
    names: tuple[str, str, str], table: pd.DataFrame, recorded: pd.Series, seed: int
) -> Shown | None:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    x, y = table.to_numpy(), recorded.to_numpy(dtype=str)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    chances = cross_val_predict(model, x, y, cv=folds, method="predict_proba")
    levels = sorted(set(y))
    truth = np.array([[value == level for level in levels] for value in y])
    auc = float(roc_auc_score(truth, chances, average="macro"))
    if auc < (_SURE if names[0] == "context" else _SURE_STATED):
        return None
    least = 0.5 * float(np.quantile(chances[truth], 0.01))
    return Shown(*names, model.fit(x, y), tuple(table.columns), least, auc)
