"""Waveforms to and from standard deviations: their shape must not be bent by ranks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from casemix.modalities.timeseries.scaling import on_grid, resolution

_RARE = 1e-4  # cells beyond these two quantiles are artefacts more often than not


@dataclass(frozen=True)
class WaveformScale:
    """Linear maps of channels, with the recorded resolution kept.

    Rank-normal scores would stretch an ECG's baseline noise and flatten its R waves.

    Args:
        location: median of each channel, (c,).
        scale: standard deviation within the bounds, (c,).
        bounds: lowest and highest value that is made, (2, c).
        steps: distance between two recordable values, 0 = none, (c,).
    """

    location: np.ndarray
    scale: np.ndarray
    bounds: np.ndarray
    steps: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray) -> Self:
        """Learn the maps from recorded cells of float32 (n, t, c)."""
        columns = []
        for c in range(values.shape[2]):
            cells = values[:, :, c][~np.isnan(values[:, :, c])].astype(np.float64)
            cells = cells if len(cells) else np.full(1, np.nan)
            low, high = np.quantile(cells, (_RARE, 1 - _RARE), method="nearest")
            spread = np.clip(cells, low, high).std()
            scale = spread if spread > 1e-12 else 1.0
            columns.append((np.median(cells), scale, low, high, resolution(cells)))
        location, scales, low, high, steps = (np.array(v) for v in zip(*columns, strict=True))
        return cls(location, np.nan_to_num(scales, nan=1.0), np.stack([low, high]), steps)

    def encode(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of each cell's interval, float32 (n, t, c); 0 where not recorded."""
        clipped = np.clip(values, *self.bounds)
        ends = [
            (clipped + d - self.location) / self.scale for d in (-self.steps / 2, self.steps / 2)
        ]
        low, high = (np.nan_to_num(end, nan=0.0).astype(np.float32) for end in ends)
        return low, high

    def decode(self, standard: np.ndarray) -> np.ndarray:
        """Return values, float32 of the same shape; NaN stays NaN."""
        out = np.clip(standard * self.scale + self.location, *self.bounds)
        for c, step in enumerate(self.steps):
            out[..., c] = on_grid(out[..., c], self.bounds[0, c], step)
        return out.astype(np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the maps as named arrays for an artifact."""
        names = ("location", "scale", "bounds", "steps")
        return {f"wave.{name}": getattr(self, name) for name in names}

    @classmethod
    def from_arrays(cls, named: Mapping[str, np.ndarray]) -> Self:
        """Rebuild what `arrays` returned."""
        return cls(*(named[f"wave.{name}"] for name in ("location", "scale", "bounds", "steps")))
