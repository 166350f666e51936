"""The frozen embedder: radiomics-type features, standardised, then whitened principal axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from casemix.errors import EvaluationError
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.features import feature_blocks

NAME = "radiomics-type features + PCA-32"
_MOST_AXES = 32
_RECORDS_PER_AXIS = 4  # fewer would whiten noise
_CLIP = 8.0  # standard deviations


@dataclass(frozen=True)
class Embedder:
    """Features to whitened principal axes.

    Every block of features counts the same, whatever its number of columns.

    Args:
        mean: per feature, of the training pictures; also stands in for a missing value.
        weight: per feature, one over (standard deviation times the root of the block's size).
        axes: (features, d), whitening.
    """

    mean: np.ndarray
    weight: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, train: Images) -> Embedder:
        """Learn the axes of real training pictures.

        Raises:
            EvaluationError: fewer than two pictures.
        """
        if len(train) < 2:
            raise EvaluationError("An embedder needs two pictures or more.", given=len(train))
        blocks = feature_blocks(train)
        table = np.concatenate(list(blocks.values()), axis=1)  # (n, f)
        known = np.isfinite(table)
        mean = np.where(known, table, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        centred = np.where(known, table - mean, 0)
        spread = centred.std(axis=0)
        sizes = np.concatenate([np.full(b.shape[1], b.shape[1]) for b in blocks.values()])
        weight = np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0) / np.sqrt(sizes)
        _, singular, axes = np.linalg.svd(centred * weight, full_matrices=False)
        wanted = min(_MOST_AXES, max(len(train) // _RECORDS_PER_AXIS, 1))
        kept = min(wanted, int((singular > 1e-3 * max(singular[0], 1e-12)).sum()))
        deviation = singular[:kept] / np.sqrt(len(train))
        return cls(mean, weight, axes[:kept].T / deviation)

    def embed(self, images: Images) -> np.ndarray:
        """Return float32 vectors (n, d).

        Raises:
            EvaluationError: pictures of another layout than the fitted ones.
        """
        table = np.concatenate(list(feature_blocks(images).values()), axis=1)
        if table.shape[1] != len(self.mean):
            raise EvaluationError(
                "The pictures have another layout than those that the embedder was fitted on.",
                given=f"{table.shape[1]} features",
                allowed=f"{len(self.mean)} features",
            )
        centred = np.where(np.isfinite(table), table - self.mean, 0) * self.weight
        return np.clip(centred @ self.axes, -_CLIP, _CLIP).astype(np.float32)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the embedder as arrays for `casemix.core.artifact`."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Embedder:
        """Rebuild what `to_arrays` returned."""
        return cls(**{f.name: arrays[f.name] for f in fields(cls)})
