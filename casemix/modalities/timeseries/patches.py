"""Series as a short sequence of whitened patch vectors, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

_KEPT = 0.998  # share of the variance that the principal axes keep
_MOST_AXES = 128


@dataclass(frozen=True)
class PatchCoder:
    """Cuts (n, t, c) into patches along time and projects each to principal axes.

    The axes are shared by all patches, so they say what a piece of a series looks like wherever
    it lies; what is correlated between channels (the leads of an ECG) costs nothing twice.

    Args:
        length: times per patch.
        times: t of the series.
        centre: mean patch, (length * c,).
        axes: orthonormal principal axes, (length * c, d).
        scale: standard deviation along each axis, (d,).
    """

    length: int
    times: int
    centre: np.ndarray
    axes: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, series: np.ndarray) -> Self:
        """Learn the axes from series (n, t, c) without gaps."""
        times = series.shape[1]
        length = patch_length(times)
        flat = _patches(series.astype(np.float64), length).reshape(-1, length * series.shape[2])
        centre = flat.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov(flat.T, bias=True).reshape(flat.shape[1], -1))
        values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
        share = np.cumsum(values) / max(values.sum(), 1e-12)
        kept = min(int((share < _KEPT).sum()) + 1, _MOST_AXES, len(values))
        scale = np.sqrt(np.maximum(values[:kept], 1e-6))
        return cls(length, times, centre, np.ascontiguousarray(vectors[:, :kept]), scale)

    @property
    def count(self) -> int:
        """The number of patches of a series."""
        return -(-self.times // self.length)

    @property
    def width(self) -> int:
        """The number of axes."""
        return len(self.scale)

    def encode(self, series: np.ndarray) -> np.ndarray:
        """Return whitened patches, float32 (n, count, width)."""
        flat = _patches(series, self.length)
        return (((flat - self.centre) @ self.axes) / self.scale).astype(np.float32)

    def decode(self, patches: np.ndarray) -> np.ndarray:
        """Return series (n, t, c) of patches (n, count, width), float64."""
        flat = (patches * self.scale) @ self.axes.T + self.centre
        whole = flat.reshape(len(patches), self.count * self.length, -1)
        return whole[:, : self.times]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the coder as named arrays for an artifact."""
        return {
            "patch.shape": np.array([self.length, self.times]),
            "patch.centre": self.centre,
            "patch.axes": self.axes,
            "patch.scale": self.scale,
        }

    @classmethod
    def from_arrays(cls, named: Mapping[str, np.ndarray]) -> Self:
        """Rebuild what `arrays` returned."""
        length, times = (int(v) for v in named["patch.shape"])
        return cls(length, times, named["patch.centre"], named["patch.axes"], named["patch.scale"])


def patch_length(times: int) -> int:
    """Return the times per patch: about 0.6 of the square root of the series' length.

    >>> [patch_length(t) for t in (1, 24, 48, 1000)]
    [1, 3, 4, 19]
    """
    return max(1, round(0.6 * times**0.5))


def _patches(series: np.ndarray, length: int) -> np.ndarray:
    """Return (n, count, length * c); the last patch holds the last value where it is too long."""
    n, times, c = series.shape
    short = -times % length
    whole = np.pad(series, ((0, 0), (0, short), (0, 0)), mode="edge") if short else series
    return whole.reshape(n, -1, length * c)
