"""Ridge regression with its honest (leave-one-out) predictions in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_PENALTIES = np.geomspace(1.0, 1e4, 13)


@dataclass(frozen=True)
class Ridge:
    """A linear prediction; its penalty was chosen by leave-one-out error.

    Args:
        centre: mean of the inputs, (p,).
        slopes: (p, q).
        intercept: mean of the targets, (q,).
    """

    centre: np.ndarray
    slopes: np.ndarray
    intercept: np.ndarray

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return predictions, (n, q)."""
        return self.intercept + (inputs - self.centre) @ self.slopes


def fit_ridge(inputs: np.ndarray, targets: np.ndarray) -> tuple[Ridge, np.ndarray]:
    """Return the ridge fit and its leave-one-out predictions.

    Each row's leave-one-out prediction does not know that row's target. Whatever is trained on
    these predictions therefore meets the same uncertainty later, with new rows.

    Args:
        inputs: (n, p), p may be 0.
        targets: (n, q), no missing cells.

    Reference:
        Golub, Heath and Wahba, Generalized cross-validation, Technometrics 1979; 21:215.
    """
    centre, intercept = inputs.mean(axis=0), targets.mean(axis=0)
    u, s, vt = np.linalg.svd(inputs - centre, full_matrices=False)
    rotated = u.T @ (targets - intercept)  # (k, q)

    def left_out(penalty: float) -> np.ndarray:
        shrink = s**2 / (s**2 + penalty)
        fitted = intercept + u @ (shrink[:, None] * rotated)
        leverage = 1 / len(inputs) + (u**2 * shrink).sum(axis=1)  # (n,)
        return targets - (targets - fitted) / np.maximum(1 - leverage, 1e-3)[:, None]

    errors = [float(((targets - left_out(p)) ** 2).sum()) for p in _PENALTIES]
    best = float(_PENALTIES[int(np.argmin(errors))])
    slopes = vt.T @ ((s / (s**2 + best))[:, None] * rotated)
    return Ridge(centre, slopes, intercept), left_out(best)
