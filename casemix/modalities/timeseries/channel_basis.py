"""Channels that follow linearly from others, such as the augmented leads of an ECG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

_LEFT = 0.01  # share of a channel's variance that those before it leave, for it to be kept


@dataclass(frozen=True)
class ChannelBasis:
    """Keeps independent channels and derives the others, so that laws between them hold.

    Channels come first that people put first: of a 12-lead ECG I, II and V1 to V6 are kept.

    Args:
        kept: positions of the independent channels, int (m,).
        weights: of the kept channels in every channel, (m, c).
    """

    kept: np.ndarray
    weights: np.ndarray

    @classmethod
    def fit(cls, waves: np.ndarray) -> Self:
        """Learn from series (n, t, c) without gaps, each channel centred in each series."""
        rows = waves.reshape(-1, waves.shape[2])
        covariance = rows.T @ rows / len(rows)
        left = covariance.copy()
        kept: list[int] = []
        for j, variance in enumerate(np.diag(covariance)):
            if not kept or left[j, j] > _LEFT * variance:
                kept.append(j)
                left = left - np.outer(left[:, j], left[j]) / max(left[j, j], 1e-12)
        weights = np.linalg.lstsq(covariance[np.ix_(kept, kept)], covariance[kept], rcond=None)[0]
        weights[:, kept] = np.eye(len(kept))
        return cls(np.array(kept), weights)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the basis as named arrays for an artifact."""
        return {"basis.kept": self.kept, "basis.weights": self.weights}

    @classmethod
    def from_arrays(cls, named: Mapping[str, np.ndarray]) -> Self:
        """Rebuild what `arrays` returned."""
        return cls(named["basis.kept"], named["basis.weights"])
