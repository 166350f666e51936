"""The frozen embedder of linked tables: findings and their spread, whitened principal axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from casemix.core.fields import Kind
from casemix.modalities.relational.data import LinkedTables
from casemix.modalities.relational.findings import Findings, spread_features

_MOST_AXES = 16
_LEAST_SPREAD = 1e-3  # of the widest axis; narrower ones are rounding
_FARTHEST = 4.0  # standard deviations, beyond which a feature is no farther
_INCOMPLETE = 0.02  # share of missing training cells that gives a feature an indicator


@dataclass(frozen=True)
class Embedder:
    """Signed logarithms of numbers and indicators of levels, standardised, then PCA.

    Args:
        findings: what is found per sample.
        centre: training mean of each feature, (p,).
        scale: training deviation of each feature, (p,).
        incomplete: features with an indicator of missing cells, bool (p,).
        axes: projection to unit variance, (p + indicators, d).
        mean: mean of what is projected, (p + indicators,).
    """

    findings: Findings
    centre: np.ndarray
    scale: np.ndarray
    incomplete: np.ndarray
    mean: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, tables: LinkedTables) -> Embedder:
        """Fit on real training tables."""
        findings = Findings.fit(tables)
        raw = _features(findings, tables)  # (n, p)
        known = ~np.isnan(raw)
        filled = np.where(known, raw, 0.0)
        centre = filled.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        moved = np.where(known, raw - centre, 0.0)
        scale = np.sqrt((moved**2).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
        scale = np.where(scale > 1e-9, scale, 1.0)
        incomplete = ((~known).mean(axis=0) > _INCOMPLETE) & known.any(axis=0)
        whole = _standardised(raw, centre, scale, incomplete)
        mean = whole.mean(axis=0)
        _, spread, axes = np.linalg.svd(whole - mean, full_matrices=False)
        kept = min(_MOST_AXES, int((spread > _LEAST_SPREAD * max(spread[0], 1e-12)).sum()))
        deviation = np.maximum(spread[:kept] / np.sqrt(max(len(tables) - 1, 1)), 1e-12)
        return cls(findings, centre, scale, incomplete, mean, axes[:kept].T / deviation)

    def embed(self, tables: LinkedTables) -> np.ndarray:
        """Return float32 vectors, (n, d), d <= 16."""
        raw = _features(self.findings, tables)
        whole = _standardised(raw, self.centre, self.scale, self.incomplete)
        return np.asarray((whole - self.mean) @ self.axes, dtype=np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the fitted arrays by name."""
        names = ("centre", "scale", "incomplete", "mean", "axes")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_saved(cls, findings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Embedder:
        """Rebuild an embedder from ``findings.to_json()`` and `arrays`."""
        return cls(Findings.from_json(findings), **arrays)


def _features(findings: Findings, tables: LinkedTables) -> np.ndarray:
    """Return the features before standardisation, (n, p); NaN where there is nothing to see."""
    found = findings.of(tables)
    columns = []
    for f in findings.schema:
        cells = found[f.name]
        if f.kind is Kind.NUMERIC:
            numbers = cells.to_numpy(dtype=np.float64)
            columns.append(np.sign(numbers) * np.log1p(np.abs(numbers)))
            continue
        columns += [(cells == level).to_numpy(dtype=np.float64) for level in f.levels]
    spread = spread_features(findings, tables)
    return np.concatenate([np.stack(columns, axis=1), np.log1p(spread)], axis=1)


def _standardised(
    raw: np.ndarray, centre: np.ndarray, scale: np.ndarray, incomplete: np.ndarray
) -> np.ndarray:
    known = ~np.isnan(raw)
    z = np.where(known, np.clip((raw - centre) / scale, -_FARTHEST, _FARTHEST), 0.0)
    return np.concatenate([z, (~known[:, incomplete]).astype(np.float64)], axis=1)
