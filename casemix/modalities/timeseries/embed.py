"""The frozen embedder of series: MiniRocket features and summaries, then principal axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from tsai.models.MINIROCKET_Pytorch import MiniRocketFeatures

from casemix.core.batches import fixed_batches
from casemix.core.training import load_state, state_arrays
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.filled import held
from casemix.modalities.timeseries.profile import summaries

NAME = "MiniRocket (Dempster 2021) + series summaries + PCA"
_FEATURES = 2016  # 24 for each of the 84 kernels
_DILATIONS = 5  # of each kernel; time grows with them, the other features are more thresholds
_AXES = 32
_SHORTEST = 16  # times; MiniRocket's kernels span 9, shorter series are held at both ends
_BATCH = 16


@dataclass(frozen=True)
class SeriesEmbedder:
    """Series to vectors of up to 32 numbers; everything is learnt from training series only.

    Gaps are held at the last recorded value; if training series have gaps, what was recorded
    joins as further channels. MiniRocket's and the summaries' blocks weigh the same.

    Args:
        location: mean of each channel, (c,).
        scale: standard deviation of each channel, (c,).
        gaps: whether what was recorded is seen as channels of their own.
        rocket: the fitted feature extractor.
        centre: mean feature, (f,).
        axes: features to vector, scaling included, (f, d).
    """

    location: np.ndarray
    scale: np.ndarray
    gaps: bool
    rocket: MiniRocketFeatures
    centre: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, series: Series, *, seed: int) -> Self:
        """Learn the embedder from training series."""
        cells = series.values.reshape(-1, series.values.shape[2]).astype(np.float64)
        seen = ~np.isnan(cells)
        count = np.maximum(seen.sum(axis=0), 1)
        location = np.where(seen, cells, 0.0).sum(axis=0) / count
        variance = np.where(seen, (cells - location) ** 2, 0.0).sum(axis=0) / count
        scale = np.where(variance > 1e-12, np.sqrt(variance), 1.0)
        gaps = bool((~seen).any())
        inputs = _inputs(series, location, scale, gaps)
        rocket = fitted_rocket(inputs, seed)
        features = _features(rocket, inputs, series)
        centre, axes = _principal(features, rocket_width=features.shape[1] - _width(series))
        return cls(location, scale, gaps, rocket, centre, axes)

    def embed(self, series: Series) -> np.ndarray:
        """Return vectors, float32 (n, d)."""
        inputs = _inputs(series, self.location, self.scale, self.gaps)
        features = _features(self.rocket, inputs, series)
        features = np.where(np.isnan(features), self.centre, features)
        return ((features - self.centre) @ self.axes).astype(np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the embedder as named arrays for an artifact."""
        own = {
            "location": self.location,
            "scale": self.scale,
            "centre": self.centre,
            "axes": self.axes,
        }
        return own | {f"rocket.{k}": v for k, v in state_arrays(self.rocket).items()}

    def to_json(self) -> dict[str, Any]:
        """Return what is needed beside `arrays`."""
        return {
            "gaps": self.gaps,
            "channels": int(self.rocket.c_in),
            "times": int(self.rocket.seq_len),
        }

    @classmethod
    def restore(cls, about: Mapping[str, Any], named: Mapping[str, np.ndarray]) -> Self:
        """Rebuild what `to_json` and `arrays` returned."""
        with _numpy_state_kept():
            rocket = MiniRocketFeatures(about["channels"], about["times"], _FEATURES, _DILATIONS)
        prefix = "rocket."
        load_state(
            rocket, {k.removeprefix(prefix): v for k, v in named.items() if k.startswith(prefix)}
        )
        rocket.fitting = False
        return cls(
            named["location"],
            named["scale"],
            about["gaps"],
            rocket.eval(),
            named["centre"],
            named["axes"],
        )


def _inputs(series: Series, location: np.ndarray, scale: np.ndarray, gaps: bool) -> torch.Tensor:
    """Return what MiniRocket reads, float32 (n, channels, times)."""
    standard = held((series.values - location) / scale)
    if gaps:
        standard = np.concatenate([standard, series.recorded], axis=2)
    short = _SHORTEST - standard.shape[1]
    if short > 0:
        standard = np.pad(standard, ((0, 0), (0, short), (0, 0)), mode="edge")
    return torch.from_numpy(np.ascontiguousarray(standard.transpose(0, 2, 1), dtype=np.float32))


def fitted_rocket(inputs: torch.Tensor, seed: int) -> MiniRocketFeatures:
    """Return MiniRocket features with biases taken from series, (n, c, t)."""
    with _numpy_state_kept(), torch.inference_mode():
        rocket = MiniRocketFeatures(
            inputs.shape[1], inputs.shape[2], _FEATURES, _DILATIONS, random_state=seed % 2**32
        )
        rocket.fit(inputs)
    return rocket.eval()


@contextmanager
def _numpy_state_kept() -> Iterator[None]:
    """Keep NumPy's global random state, which tsai seeds and draws from."""
    state = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(state)


def _features(rocket: MiniRocketFeatures, inputs: torch.Tensor, series: Series) -> np.ndarray:
    """Return MiniRocket's features and the summaries, float64 (n, f)."""
    parts = []
    with torch.inference_mode():
        for positions, used in fixed_batches(len(inputs), _BATCH):
            parts.append(rocket(inputs[torch.from_numpy(positions)])[:used].numpy())
    return np.concatenate([np.concatenate(parts), summaries(series)], axis=1).astype(np.float64)


def _width(series: Series) -> int:
    return summaries(series.take(np.arange(1))).shape[1]


def _principal(features: np.ndarray, rocket_width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the features' mean and the map to their first principal axes, blocks balanced."""
    seen = ~np.isnan(features)
    count = np.maximum(seen.sum(axis=0), 1)
    centre = np.where(seen, features, 0.0).sum(axis=0) / count
    centred = np.where(seen, features - centre, 0.0)
    spread = centred.std(axis=0)
    weight = np.where(spread > 1e-9, 1.0 / np.maximum(spread, 1e-9), 0.0)
    for block in (slice(None, rocket_width), slice(rocket_width, None)):
        weight[block] /= np.sqrt(max(int((weight[block] > 0).sum()), 1))
    _, size, axes = np.linalg.svd(centred * weight, full_matrices=False)
    kept = max(int((size > 1e-6 * max(size[0], 1e-12)).sum()), 1)
    return centre, weight[:, None] * axes[: min(_AXES, kept)].T
