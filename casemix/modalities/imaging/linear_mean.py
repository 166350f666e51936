"""What ridge regression already knows of the codes: their mean given conditions and mask.

The flow then only has to learn what is left. With a few hundred pictures this is what makes
conditions such as the scanner hold from the first step of training on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch

_PENALTIES = np.logspace(-3, 1, 9)  # per record


@dataclass(frozen=True)
class LinearMean:
    """A ridge regression.

    Args:
        location: means of the inputs, float32 (p,).
        weights: float32 (p, d).
    """

    location: torch.Tensor
    weights: torch.Tensor

    @classmethod
    def fit(cls, inputs: np.ndarray, targets: np.ndarray) -> tuple[LinearMean, np.ndarray]:
        """Return the regression of centred targets (n, d) on inputs (n, p), and its residuals.

        The penalty minimises the leave-one-out error; the residuals are those of leaving one
        out, so they are as large as those of new records.
        """
        location = inputs.mean(axis=0)
        left, size, right = np.linalg.svd((inputs - location).astype(np.float64), False)
        inside = left.T @ targets  # (r, d)

        def without_one(penalty: float) -> np.ndarray:
            shrink = size**2 / (size**2 + penalty * len(inputs))
            leverage = (left**2 * shrink).sum(axis=1, keepdims=True) + 1 / len(inputs)
            return (targets - left @ (shrink[:, None] * inside)) / (1 - leverage).clip(0.05)

        penalty = min(_PENALTIES, key=lambda p: float((without_one(p) ** 2).sum()))
        shrunk = size / (size**2 + penalty * len(inputs))
        weights = right.T @ (shrunk[:, None] * inside)
        tensors = (torch.from_numpy(a.astype(np.float32)) for a in (location, weights))
        return cls(*tensors), without_one(penalty).astype(np.float32)

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return predictions, (b, d)."""
        location, weights = (t.to(inputs.device) for t in (self.location, self.weights))
        return (inputs - location) @ weights

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the regression as arrays for `casemix.core.artifact`."""
        return {f.name: getattr(self, f.name).numpy() for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> LinearMean:
        """Rebuild what `to_arrays` returned."""
        return cls(*(torch.from_numpy(np.array(arrays[f.name])) for f in fields(cls)))
