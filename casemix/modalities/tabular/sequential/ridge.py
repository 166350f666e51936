"""Ridge regression of every column on those before it, from Gram matrices alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_FOLDS = 5
_PENALTIES = (0.003, 0.1, 3.0)  # times the number of features, per row
_FEWEST = 20  # rows
_LEAST_GAIN = 0.02  # held-out R2 below which a linear score says nothing


@dataclass(frozen=True)
class LinearScores:
    """Linear predictions that trees may split on.

    Args:
        weights: (p, s), s >= 0 scores; rows follow the features.
        offset: (s,).
    """

    weights: np.ndarray
    offset: np.ndarray

    @property
    def size(self) -> int:
        """The number of scores."""
        return len(self.offset)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return (n, s), each row computed alone: bit-identical for any batch."""
        scores = np.tile(self.offset[:, None], len(features))
        for k in np.flatnonzero(np.any(self.weights != 0.0, axis=1)):
            scores += np.multiply.outer(self.weights[k], features[:, k].astype(np.float64))
        return scores.T


@dataclass(frozen=True)
class LinearFit:
    """Linear scores and what they are worth.

    Args:
        scores: the targets that held-out rows show to be predictable, s of q.
        held_out: their out-of-fold values, (n, s).
        gains: held-out R2 of every target, (q,).
    """

    scores: LinearScores
    held_out: np.ndarray
    gains: np.ndarray


class Gram:
    """Cross-products of features and targets, in total and per fold.

    Args:
        features: (n, p).
        targets: (n, q), every column's targets side by side.
        rng: which row is in which fold.
    """

    def __init__(self, features: np.ndarray, targets: np.ndarray, rng: np.random.Generator) -> None:
        self.features = np.concatenate([np.ones((len(features), 1)), features], axis=1)
        self.targets = targets
        self.folds = rng.permutation(len(features)) % _FOLDS
        self.parts = []
        for fold in range(_FOLDS):
            x, y = self.features[self.folds == fold], targets[self.folds == fold]
            self.parts.append((x.T @ x, x.T @ y, (y**2).sum(axis=0)))
        self.total = tuple(np.sum([part[i] for part in self.parts], axis=0) for i in range(3))

    def fit(self, width: int, targets: slice) -> LinearFit:
        """Fit these targets on the first ``width`` features."""
        y = self.targets[:, targets]
        if width == 0 or len(y) < _FEWEST:
            nothing = LinearScores(np.zeros((width, 0)), np.zeros(0))
            return LinearFit(nothing, np.empty((len(y), 0)), np.zeros(y.shape[1]))
        spread = np.maximum(((y - y.mean(axis=0)) ** 2).sum(axis=0), 1e-12)
        fits = {penalty: self._held_out(width, targets, penalty) for penalty in _PENALTIES}
        gains = {penalty: 1 - errors / spread for penalty, (errors, _) in fits.items()}
        best = max(gains, key=lambda k: float(gains[k].mean()))
        useful = gains[best] > _LEAST_GAIN
        weights = _solve(self.total, width, targets, best)[:, useful]
        held_out = np.empty((len(y), np.count_nonzero(useful)))
        for fold, of_rest in enumerate(fits[best][1] if useful.any() else ()):
            rows = self.folds == fold
            held_out[rows] = self.features[rows, : width + 1] @ of_rest[:, useful]
        return LinearFit(LinearScores(weights[1:], weights[0]), held_out, gains[best])

    def _held_out(
        self, width: int, targets: slice, penalty: float
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return each target's held-out squared error, (q,), and each fold's weights (w + 1, q)."""
        errors, fits = np.zeros(self.targets[:, targets].shape[1]), []
        for xx, xy, yy in self.parts:
            rest = (self.total[0] - xx, self.total[1] - xy)
            weights = _solve(rest, width, targets, penalty)
            inside, across = xx[: width + 1, : width + 1], xy[: width + 1, targets]
            errors += yy[targets] + (weights * (inside @ weights - 2 * across)).sum(axis=0)
            fits.append(weights)
        return errors, fits


def _solve(gram: tuple[np.ndarray, ...], width: int, targets: slice, penalty: float) -> np.ndarray:
    xx, xy = gram[0][: width + 1, : width + 1], gram[1][: width + 1, targets]
    ridge = np.diag(np.append(1e-9, np.full(width, penalty * width)))
    return np.linalg.solve(xx + ridge, xy)
