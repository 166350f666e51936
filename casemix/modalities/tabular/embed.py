"""The frozen embedder of tables: normal scores, one-hot levels, missingness; whitened PCA."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from casemix.core.fields import Kind, Schema
from casemix.modalities.tabular.data import Table
from casemix.modalities.tabular.normal_score import NormalScore

_DIMENSIONS = 16
_LEAST = 1e-3  # of the first axis's spread; what varies less is rounding


@dataclass(frozen=True)
class TableEmbedder:
    """Columns as numbers, projected to the principal axes of the training rows.

    Args:
        schema: the columns.
        scores: numeric column -> map to normal scores.
        mean: mean training features, (d,).
        axes: whitening projection, (d, k).
    """

    schema: Schema
    scores: Mapping[str, NormalScore]
    mean: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, table: Table) -> TableEmbedder:
        """Fit on training rows."""
        scores = {
            f.name: NormalScore.fit(table.frame[f.name].dropna().to_numpy())
            for f in table.schema
            if f.kind is Kind.NUMERIC and table.frame[f.name].notna().any()
        }
        features = _features(table, scores)
        mean = features.mean(axis=0)
        _, spread, axes = np.linalg.svd(features - mean, full_matrices=False)
        kept = min(_DIMENSIONS, int((spread > _LEAST * max(spread[0], 1e-12)).sum()))
        deviation = spread[:kept] / np.sqrt(max(len(features) - 1, 1))
        return cls(table.schema, scores, mean, axes[:kept].T / deviation)

    def embed(self, table: Table) -> np.ndarray:
        """Return float32 vectors, (n, k)."""
        return ((_features(table, self.scores) - self.mean) @ self.axes).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return what is not an array, JSON-ready."""
        scores = {name: score.to_json() for name, score in self.scores.items()}
        return {"schema": self.schema.to_json(), "scores": scores}

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays."""
        return {"mean": self.mean, "axes": self.axes}

    @classmethod
    def from_json(
        cls, content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> TableEmbedder:
        """Rebuild what `to_json` and `arrays` returned."""
        scores = {name: NormalScore.from_json(s) for name, s in content["scores"].items()}
        return cls(Schema.from_json(content["schema"]), scores, arrays["mean"], arrays["axes"])


def _features(table: Table, scores: Mapping[str, NormalScore]) -> np.ndarray:
    """Return (n, d): per column its scores or levels, and whether it is missing."""
    blocks = []
    for f in table.schema:
        column = table.frame[f.name]
        missing = column.isna().to_numpy(dtype=float)[:, None]
        if f.kind is Kind.NUMERIC:
            score = (
                scores[f.name].score(column.to_numpy()) if f.name in scores else 0 * missing[:, 0]
            )
            blocks += [np.nan_to_num(score)[:, None], missing]
        elif f.kind is Kind.CODES:
            count = column.map(len, na_action="ignore").to_numpy(dtype=float, na_value=0.0)
            blocks += [np.log1p(count)[:, None], missing]
        else:
            rank = column.map({level: i for i, level in enumerate(f.levels)})
            position = rank.to_numpy(dtype=float, na_value=-1.0)[:, None]
            blocks += [(position == np.arange(len(f.levels))).astype(float), missing]
    return np.concatenate(blocks, axis=1)
