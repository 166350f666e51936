"""The frozen embedder of tables: typed columns as numbers, then whitened principal axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from casemix.core.fields import Field, Kind, Schema
from casemix.modalities.tabular.normal_score import NormalScore

_MOST_AXES = 16
_LEAST_SPREAD = 1e-3  # of the widest axis; narrower ones are rounding


@dataclass(frozen=True)
class Embedder:
    """Normal scores of numbers, ranks of ordered and indicators of other levels, then PCA.

    Numbers become normal scores of the training values, 0 where missing; ordinal levels equally
    spaced ranks in [-1, 1]; other levels one indicator each; lists of codes the normal score of
    their length. Every column adds an indicator of missing cells. Whitened principal axes of the
    training rows follow, 16 at most.

    Args:
        schema: the table's columns.
        scores: normal scores of the columns that are numbers and have any.
        mean: mean of the training rows' features, (p,).
        axes: projection of centred features to unit variance, (p, d).
    """

    schema: Schema
    scores: Mapping[str, NormalScore]
    mean: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, frame: pd.DataFrame, schema: Schema) -> Embedder:
        """Fit on real training rows, (n, columns)."""
        numbers = {f.name: _numbers(frame, f) for f in schema if _is_number(f)}
        scores = {
            name: NormalScore.fit(values[~np.isnan(values)])
            for name, values in numbers.items()
            if not np.isnan(values).all()
        }
        features = _features(frame, schema, scores)  # (n, p)
        mean = features.mean(axis=0)
        _, spread, axes = np.linalg.svd(features - mean, full_matrices=False)
        kept = min(_MOST_AXES, int((spread > _LEAST_SPREAD * max(spread[0], 1e-12)).sum()))
        deviation = np.maximum(spread[:kept] / np.sqrt(max(len(frame) - 1, 1)), 1e-12)
        return cls(schema, scores, mean, axes[:kept].T / deviation)

    def embed(self, frame: pd.DataFrame) -> np.ndarray:
        """Return float32 vectors, (n, d)."""
        features = _features(frame, self.schema, self.scores)
        return ((features - self.mean) @ self.axes).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return what is not an array."""
        scores = {name: score.to_json() for name, score in self.scores.items()}
        return {"schema": self.schema.to_json(), "scores": scores}

    @classmethod
    def from_saved(cls, content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Embedder:
        """Rebuild an embedder from `to_json` and its arrays ``mean`` and ``axes``."""
        scores = {name: NormalScore.from_json(c) for name, c in content["scores"].items()}
        return cls(Schema.from_json(content["schema"]), scores, arrays["mean"], arrays["axes"])


def _features(frame: pd.DataFrame, schema: Schema, scores: Mapping[str, NormalScore]) -> np.ndarray:
    blocks = [_block(frame, f, scores.get(f.name)) for f in schema]
    return np.concatenate(blocks, axis=1)


def _block(frame: pd.DataFrame, field: Field, score: NormalScore | None) -> np.ndarray:
    missing = frame[field.name].isna().to_numpy(dtype=np.float64)[:, None]
    if _is_number(field):
        values = _numbers(frame, field)
        known = np.zeros(len(values)) if score is None else np.nan_to_num(score.score(values))
        return np.concatenate([known[:, None], missing], axis=1)
    position = frame[field.name].map({level: i for i, level in enumerate(field.levels)})
    rank = position.to_numpy(dtype=np.float64, na_value=np.nan)
    if field.kind is Kind.ORDINAL:
        top = max(len(field.levels) - 1, 1)
        return np.concatenate([np.nan_to_num(2 * rank / top - 1)[:, None], missing], axis=1)
    one_hot = (rank[:, None] == np.arange(len(field.levels))).astype(np.float64)
    return np.concatenate([one_hot, missing], axis=1)


def _is_number(field: Field) -> bool:
    return field.kind in (Kind.NUMERIC, Kind.CODES)


def _numbers(frame: pd.DataFrame, field: Field) -> np.ndarray:
    column = frame[field.name]
    if field.kind is Kind.CODES:
        column = column.map(len, na_action="ignore")
    return column.to_numpy(dtype=np.float64, na_value=np.nan)
