"""What a classifier of real pictures says of synthetic ones: the label, and how surely."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import wasserstein_distance
from sklearn.linear_model import LogisticRegression

from casemix.core.fields import LEVELLED
from casemix.core.metric import EvalData, Score, View
from casemix.errors import EvaluationError
from casemix.evaluation.centred_interval import centred_interval
from casemix.evaluation.statistics import (
    bootstrap_rows,
    percentile_interval,
    standardisation,
)
from casemix.modalities.imaging.extractors import Extractor, network, one_per_subject

_FEWEST = 5  # known training subjects of a level that the classifier learns
_RIDGE = 0.05  # inverse penalty
_REPEATS = 200
_SUREST = 30.0  # log-odds beyond which certainty is not told apart
_NO_LABEL = Score(None, note="There is no levelled context field to recognise in pictures.")


@dataclass(frozen=True)
class LabelReader:
    """A ridge-logistic classifier of one context field.

    Args:
        field: the field.
        levels: (k,) the levels that it knows.
        log_probabilities: of a view's records, (n, k).
    """

    field: str
    levels: np.ndarray
    log_probabilities: Callable[[View], np.ndarray]


@dataclass(frozen=True)
class Read:
    """What the classifier says of n pictures.

    Args:
        log_odds: (n, k) of every level, at most 30 either way.
        taken: (n,) the level that it takes for the most probable one.
        stated: (n,) the recorded level, empty where missing.
    """

    log_odds: np.ndarray
    taken: np.ndarray
    stated: np.ndarray


def confidence_distance(data: EvalData, seed: int) -> Score:
    """Return how far apart the classifier's certainty of real and of synthetic pictures lies."""
    found = _both(data)
    if found is None:
        return _NO_LABEL
    reader, real, made, note = found
    draws = [
        _apart(real.log_odds[a], made.log_odds[b])
        for a, b in zip(
            bootstrap_rows(len(real.log_odds), seed=seed, repeats=_REPEATS),
            bootstrap_rows(len(made.log_odds), seed=seed + 1, repeats=_REPEATS),
            strict=True,
        )
    ]
    value = _apart(real.log_odds, made.log_odds)
    details = {
        "field": reader.field,
        "median_confidence_real": _confidence(real),
        "median_confidence_synthetic": _confidence(made),
    }
    n = min(len(real.log_odds), len(made.log_odds))
    interval = centred_interval(value, draws, (0.0, np.inf))
    return Score(value, interval, n, note=note, details=details)


def label_faithfulness(data: EvalData, seed: int) -> Score:
    """Return how often the classifier finds the stated label in synthetic pictures."""
    found = _both(data)
    if found is None:
        return _NO_LABEL
    reader, real, made, note = found
    (best, _, high), (value, low, upper) = (
        _recovered(read, reader.levels, s) for read, s in ((real, seed), (made, seed + 1))
    )
    if low > high:
        note += "; above that of real pictures: labels are copied or caricatured"
    if best < 1.2 / len(reader.levels):
        note += "; real pictures hardly show this label, so that it says little"
    details = {"field": reader.field, "held_out_real": best}
    return Score(value, (low, upper), len(made.taken), note=note, details=details)


def balanced_accuracy(taken: np.ndarray, stated: np.ndarray) -> float:
    """Return the mean recall over the stated levels, in [0, 1]; NaN where nothing is stated.

    Args:
        taken: (n,) predicted levels.
        stated: (n,) recorded levels.
    """
    levels = np.unique(stated)
    if not len(levels):
        return float("nan")
    return float(np.mean([(taken[stated == level] == level).mean() for level in levels]))


def _recovered(read: Read, levels: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Return balanced accuracy and the ends of its interval."""
    rows = np.flatnonzero(np.isin(read.stated, levels))
    if not len(rows):
        raise EvaluationError("No picture has a label that the classifier knows.", allowed=levels)
    taken, stated = read.taken[rows], read.stated[rows]
    draws = [
        balanced_accuracy(taken[r], stated[r])
        for r in bootstrap_rows(len(rows), seed=seed, repeats=_REPEATS)
    ]
    return balanced_accuracy(taken, stated), *percentile_interval(draws)


def _both(data: EvalData) -> tuple[LabelReader, Read, Read, str] | None:
    field = _field(data)
    if not field:
        return None
    extract = network(data)
    reader = data.once(
        f"imaging.labels.{field}", lambda known: _fit(known, field, data.embedder, extract)
    )
    real, made = (_read(reader, one_per_subject(v)) for v in (data.holdout, data.synthetic))
    note = (
        f"ridge-logistic classifier of {field} on {data.embedder} and {extract.name}; "
        f"n = {len(real.taken)} and {len(made.taken)}"
    )
    return reader, real, made, note


def _field(data: EvalData) -> str:
    """Return the target if it is a levelled context field, else the most varied such field."""
    levelled = [f.name for f in data.context_schema if f.kind in LEVELLED]
    if data.target in levelled:
        return data.target
    return max(levelled, key=lambda name: _entropy(data.known.context[name]), default="")


def _entropy(column: pd.Series) -> float:
    shares = column.value_counts(normalize=True).to_numpy()
    return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())


def _fit(known: View, field: str, embedder: str, extract: Extractor) -> LabelReader:
    view = one_per_subject(known)
    stated = _labels(view, field)
    found, counts = np.unique(stated[stated != ""], return_counts=True)
    levels = found[counts >= _FEWEST]
    if len(levels) < 2:
        raise EvaluationError(
            f"The real training pictures do not show two levels of '{field}' often enough.",
            given=[f"{level}: {n}" for level, n in zip(found, counts, strict=True)],
            allowed=f"at least {_FEWEST} subjects of two levels",
        )
    view = view.take(np.flatnonzero(np.isin(stated, levels)))

    def features(some: View) -> np.ndarray:
        return np.concatenate([some.embedding, extract(some.samples.payload)], axis=1)

    scale = standardisation(features(view))
    model = LogisticRegression(C=_RIDGE, max_iter=2000, class_weight="balanced")
    model.fit(scale(features(view)), _labels(view, field))
    return LabelReader(
        field, model.classes_, lambda some: model.predict_log_proba(scale(features(some)))
    )


def _read(reader: LabelReader, view: View) -> Read:
    logs = reader.log_probabilities(view)
    others = np.log(-np.expm1(np.minimum(logs, -1e-15)))
    log_odds = np.clip(logs - others, -_SUREST, _SUREST)
    return Read(log_odds, reader.levels[logs.argmax(axis=1)], _labels(view, reader.field))


def _labels(view: View, field: str) -> np.ndarray:
    """Return the recorded levels as strings, empty where missing."""
    column = view.context[field]
    return np.where(column.isna(), "", column.astype(str)).astype(str)


def _apart(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Return the mean over levels of the Wasserstein distance of their log-odds."""
    pairs = zip(real.T, synthetic.T, strict=True)
    return float(np.mean([wasserstein_distance(a, b) for a, b in pairs]))


def _confidence(read: Read) -> float:
    """Return the median probability of the most probable level."""
    return float(np.median(1 / (1 + np.exp(-read.log_odds.max(axis=1)))))
