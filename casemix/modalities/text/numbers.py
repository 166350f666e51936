"""Numbers of a note given its conditions: repeated where a condition says them, else drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from casemix.core import seeding
from casemix.modalities.text.ridge import Ridge, fit_ridge
from casemix.modalities.text.slots import Slots

_KNOTS = 129  # quantiles kept per number
_LEAST_LEVEL = 10  # notes of one level, before its smallest and largest number bind


@dataclass(frozen=True)
class NumberModel:
    """A Gaussian copula regression of the slots' numbers on the encoded conditions.

    Each number is turned into a normal score, predicted linearly, and drawn with the residuals'
    correlation. A drawn number stays inside what its patient's level (diagnosis group, sex) showed
    in training.

    Args:
        quantiles: evenly spaced training quantiles of each number, (k, knots).
        ridge: conditions (p,) -> normal scores (k,).
        root: Cholesky root of the residuals' covariance, (k, k).
        least: smallest training number per indicator column and slot, (p, k); -inf = any.
        most: largest one, (p, k); inf = any.
    """

    quantiles: np.ndarray
    ridge: Ridge
    root: np.ndarray
    least: np.ndarray
    most: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray, inputs: np.ndarray, indicators: np.ndarray) -> NumberModel:
        """Fit on training notes.

        Args:
            values: (n, k), NaN = not stated.
            inputs: encoded conditions, (n, p).
            indicators: which input columns are indicators of a level, bool (p,).
        """
        count, width = values.shape[1], inputs.shape[1]
        grid = np.linspace(0, 100, _KNOTS)
        quantiles = np.array([np.nanpercentile(v, grid) for v in values.T]).reshape(count, _KNOTS)
        scores = _scores(quantiles, values)
        parts, residuals = [], np.full(values.shape, np.nan)
        for j in range(count):
            stated = ~np.isnan(values[:, j])
            part, left_out = fit_ridge(inputs[stated], scores[stated, j : j + 1])
            residuals[stated, j] = scores[stated, j] - left_out[:, 0]
            parts.append(part)
        ridge = _side_by_side(parts, width)
        least, most = _limits(values, inputs, indicators)
        return cls(quantiles, ridge, _root(residuals), least, most)

    def scores(self, values: np.ndarray) -> np.ndarray:
        """Return normal scores of numbers, (n, k); NaN stays NaN."""
        return _scores(self.quantiles, values)

    def draw(
        self, inputs: np.ndarray, known: np.ndarray, slots: Slots, *, seed: int, ids: list[str]
    ) -> np.ndarray:
        """Return one number per slot, (n, k): the known ones as they are, the others drawn.

        Args:
            inputs: encoded conditions, (n, p).
            known: (n, k), NaN = to be drawn.
            slots: the slots, for their resolution.
            seed: seed.
            ids: sample ids, which the noise belongs to.
        """
        if not len(slots):
            return np.zeros((len(inputs), 0))
        noise = seeding.normal(seed, ids, (len(slots),), stream="numbers") @ self.root.T
        drawn = self._numbers(_row_by_row(self.ridge, inputs) + noise)
        low, high = self._bounds(inputs)
        drawn = np.clip(drawn, low, np.maximum(low, high))
        for j, slot in enumerate(slots):
            drawn[:, j] = np.round(drawn[:, j], slot.decimals)
        return np.where(np.isnan(known), drawn, known)

    def _numbers(self, scores: np.ndarray) -> np.ndarray:
        grid = np.linspace(0, 1, _KNOTS)
        columns = [np.interp(ndtr(scores[:, j]), grid, q) for j, q in enumerate(self.quantiles)]
        return np.stack(columns, axis=1)

    def _bounds(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        holds = (inputs > 0.5)[:, :, None]  # (n, p, 1)
        low = np.where(holds, self.least, -np.inf).max(axis=1, initial=-np.inf)
        high = np.where(holds, self.most, np.inf).min(axis=1, initial=np.inf)
        return low, high

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the fitted arrays for an artifact."""
        return {
            "quantiles": self.quantiles,
            "centre": self.ridge.centre,
            "slopes": self.ridge.slopes,
            "intercept": self.ridge.intercept,
            "root": self.root,
            "least": self.least,
            "most": self.most,
        }

    @classmethod
    def from_arrays(cls, a: dict[str, np.ndarray]) -> NumberModel:
        """Rebuild what `arrays` returned."""
        ridge = Ridge(a["centre"], a["slopes"], a["intercept"])
        return cls(a["quantiles"], ridge, a["root"], a["least"], a["most"])


def _row_by_row(ridge: Ridge, inputs: np.ndarray) -> np.ndarray:
    """Predict in a way whose rounding does not depend on the number of rows."""
    moved = inputs - ridge.centre
    return ridge.intercept + np.einsum("np,pq->nq", moved, ridge.slopes, optimize=False)


def _scores(quantiles: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return mid-rank normal scores, (n, k)."""
    out = np.full(values.shape, np.nan)
    for j, q in enumerate(quantiles):
        stated = ~np.isnan(values[:, j])
        v = values[stated, j]
        rank = (np.searchsorted(q, v, "left") + np.searchsorted(q, v, "right")) / 2
        out[stated, j] = ndtri(np.clip(rank / len(q), 0.5 / len(q), 1 - 0.5 / len(q)))
    return out


def _side_by_side(parts: list[Ridge], width: int) -> Ridge:
    """Join one-target fits, each with its own centre, into one."""
    slopes = np.concatenate([p.slopes for p in parts] or [np.zeros((width, 0))], axis=1)
    moved = [p.intercept - p.centre @ p.slopes for p in parts]
    return Ridge(np.zeros(width), slopes, np.concatenate(moved or [np.zeros(0)]))


def _limits(
    values: np.ndarray, inputs: np.ndarray, indicators: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    shape = (inputs.shape[1], values.shape[1])
    least, most = np.full(shape, -np.inf), np.full(shape, np.inf)
    for column in np.flatnonzero(indicators):
        held = values[inputs[:, column] > 0.5]
        for j in range(shape[1]):
            numbers = held[:, j][~np.isnan(held[:, j])]
            if len(numbers) >= _LEAST_LEVEL:
                least[column, j], most[column, j] = numbers.min(), numbers.max()
    return least, most


def _root(residuals: np.ndarray) -> np.ndarray:
    """Return a root of the pairwise covariance, made positive definite."""
    count = residuals.shape[1]
    covariance = np.eye(count)
    for i in range(count):
        for j in range(i + 1):
            both = ~np.isnan(residuals[:, i]) & ~np.isnan(residuals[:, j])
            # Two numbers that are hardly ever stated together tell nothing of their correlation.
            enough = both.sum() >= _LEAST_LEVEL or (i == j and both.any())
            product = float((residuals[both, i] * residuals[both, j]).mean()) if enough else 0.0
            covariance[i, j] = covariance[j, i] = product
    eigenvalues, axes = np.linalg.eigh(covariance)
    return axes * np.sqrt(np.maximum(eigenvalues, 1e-9))  # root @ root.T = covariance
