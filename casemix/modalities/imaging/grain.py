"""How much fine grain pictures have, by conditions: measured and drawn, not painted.

A few hundred steps do not teach a small adversarial network how noisy each scanner is; a regression
knows it at once.

Reference:
    Donoho DL, Johnstone IM. Ideal spatial adaptation by wavelet shrinkage. Biometrika 1994;
    81:425: the noise level as a median of fine details.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from casemix.modalities.imaging.linear_mean import LinearMean
from casemix.modalities.imaging.nested import joined, part

_LAPLACE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32) / 6  # keeps variance
_LEAST = 1e-3


@dataclass(frozen=True)
class GrainLevel:
    """Log amplitude of the grain per picture channel: normal, its mean linear in the conditions.

    Args:
        location: mean, float32 (c,).
        mean: what conditions add to it.
        root: Cholesky factor of what is left over, float32 (c, c).
    """

    location: torch.Tensor
    mean: LinearMean
    root: torch.Tensor

    @classmethod
    def fit(cls, pictures: np.ndarray, conditions: torch.Tensor) -> GrainLevel:
        """Learn from pictures, float32 (n, c, h, w), and their encoded conditions, (n, d)."""
        levels = log_levels(pictures)
        location = levels.mean(axis=0)
        mean, left = LinearMean.fit(conditions.numpy(), levels - location)
        covariance = left.T @ left / len(left) + 1e-8 * np.eye(left.shape[1])
        root = np.linalg.cholesky(covariance.astype(np.float64))
        return cls(torch.from_numpy(location), mean, torch.from_numpy(root.astype(np.float32)))

    def draw(self, conditions: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return amplitudes (b, c) for standard normal noise of the same shape."""
        location, root = (t.to(noise.device) for t in (self.location, self.root))
        return torch.exp(location + self.mean(conditions) + noise @ root.T)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the levels as arrays for `casemix.core.artifact`."""
        own = {"location": self.location.numpy(), "root": self.root.numpy()}
        return joined(own=own, mean=self.mean.to_arrays())

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> GrainLevel:
        """Rebuild what `to_arrays` returned."""
        own = {k: torch.from_numpy(np.array(a)) for k, a in part(arrays, "own").items()}
        return cls(own["location"], LinearMean.from_arrays(part(arrays, "mean")), own["root"])


def log_levels(pictures: np.ndarray) -> np.ndarray:
    """Return the log noise amplitude of each channel, float32 (n, c); edges hardly count."""
    fine = np.abs(ndimage.convolve(pictures, _LAPLACE[None, None], mode="nearest"))
    return np.log(1.4826 * np.median(fine, axis=(2, 3)) + _LEAST).astype(np.float32)
