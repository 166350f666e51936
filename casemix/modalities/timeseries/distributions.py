"""Distributions of series' values: of each channel at each time, and of all channels together."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from casemix.core.metric import EvalData, Score
from casemix.evaluation.centred_interval import centred_interval
from casemix.evaluation.fidelity import TwoSample
from casemix.evaluation.statistics import (
    as_subjects,
    bootstrap_weights,
    percentile_interval,
    permutation_p_value,
)
from casemix.modalities.timeseries.arms import Arms, windows
from casemix.modalities.timeseries.distances import with_missing

_BINS = 24  # of time, for single channels
_TIMES = 4  # of each bin
_WINDOWS = 12  # of time, for all channels together
_DRAWS = 40


def time_marginals(
    real: np.ndarray, synthetic: np.ndarray, weights: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return how alike each channel's values are in each bin of time, (r, c, b), in [0, 1].

    1 - Kolmogorov-Smirnov distance, missing included (see `distances.with_missing`). Time is cut
    into at most 24 bins, of each of which at most 4 evenly spaced times are read.

    Args:
        real: (n, t, c), NaN = not recorded.
        synthetic: (m, t, c).
        weights: of real, (r, n), and of synthetic series, (r, m).
    """
    bins = [w[:: -(-len(w) // _TIMES)] for w in windows(real.shape[1], _BINS)]
    out = np.empty((len(weights[0]), real.shape[2], len(bins)))
    for b, times in enumerate(bins):
        wide = (
            np.repeat(weights[0], len(times), axis=1),
            np.repeat(weights[1], len(times), axis=1),
        )
        for c in range(real.shape[2]):
            cells = real[:, times, c].reshape(-1), synthetic[:, times, c].reshape(-1)
            out[:, c, b] = 1.0 - with_missing(*cells, wide)
    return out


def joint_energy(
    real: np.ndarray,
    synthetic: np.ndarray,
    *,
    subjects_real: np.ndarray | None = None,
    subjects_synthetic: np.ndarray | None = None,
    seed: int,
    permutations: int = 200,
) -> TwoSample:
    """Return the energy distance of all channels together per window of time, averaged.

    In each of at most 12 windows a series is the vector of its channels' means and recorded
    shares there, standardised on the real series; a channel without a record lies at the real
    mean. The energy distance ``2 E|X-Y| - E|X-X'| - E|Y-Y'|`` is divided by ``2 E|X-Y|``: 0 for
    equal distributions, 1 for two points; the unbiased estimate may fall a little below 0. Pairs
    of series of one subject are left out, and the permutation test moves whole subjects.

    Args:
        real: (n, t, c), NaN = not recorded.
        synthetic: (m, t, c).
        subjects_real: (n,) subject of each series; each its own if None.
        subjects_synthetic: (m,).
        seed: seed of the permutations and of the bootstrap.
        permutations: how many.

    Reference:
        Szekely and Rizzo, Energy statistics, J Stat Plan Inference 2013.
    """
    distance = _mean_distance(real, synthetic)
    first = as_subjects(subjects_real, len(real))
    second = as_subjects(subjects_synthetic, len(synthetic))
    pairs = _SubjectPairs.of(distance, np.concatenate([first, second + first.max() + 1]))
    counts = (int(first.max()) + 1, int(second.max()) + 1)
    inside = np.repeat([1.0, 0.0], counts)
    shuffled = np.random.default_rng(seed).permuted(np.tile(inside, (permutations, 1)), axis=1)
    drawn = pairs.energy(
        np.pad(bootstrap_weights(counts[0], seed=seed), ((0, 0), (0, counts[1]))),
        np.pad(bootstrap_weights(counts[1], seed=seed + 1), ((0, 0), (counts[0], 0))),
    )
    value = float(pairs.energy(inside[None], 1 - inside[None])[0])
    p_value = permutation_p_value(value - 1e-12, pairs.energy(shuffled, 1 - shuffled))
    return TwoSample(value, percentile_interval(drawn), min(counts), p_value)


def time_marginal_similarity(data: EvalData, seed: int) -> Score:
    """Score `time_marginals`, mean over channels and bins of time."""
    arms = Arms.of(data, seed=seed)
    weights = arms.weights(seed=seed, repeats=_DRAWS)
    found = time_marginals(arms.real.values, arms.synthetic.values, weights)
    overall = found.mean(axis=(1, 2))
    channels = dict(zip(arms.names, found[0].mean(axis=1).tolist(), strict=True))
    details = {"channels": channels, "bins": found[0].mean(axis=0).tolist()}
    note = f"{found.shape[2]} bins of time; at most 500 subjects per arm"
    return Score(
        float(overall[0]),
        centred_interval(overall[0], overall[1:], (0.0, 1.0)),
        arms.n,
        note=note,
        details=details,
    )


def joint_energy_distance(data: EvalData, seed: int) -> Score:
    """Score `joint_energy`."""
    arms = Arms.of(data, seed=seed)
    found = joint_energy(
        arms.real.values,
        arms.synthetic.values,
        subjects_real=arms.real.subjects,
        subjects_synthetic=arms.synthetic.subjects,
        seed=seed,
    )
    details = {"p_value": found.p_value}
    note = f"means and recorded shares in up to {_WINDOWS} windows; at most 500 subjects per arm"
    return Score(found.value, found.interval, found.n, note=note, details=details)


def _mean_distance(real: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
    """Return the Euclidean distance of all pairs of series, mean over windows, (n + m, n + m)."""
    both = np.concatenate([real, synthetic]).astype(np.float64)
    cut = windows(both.shape[1], _WINDOWS)
    vectors = np.stack([_window_vector(both[:, rows]) for rows in cut])  # (w, n + m, 2c)
    known = vectors[:, : len(real)]
    with warnings.catch_warnings():  # NumPy warns of channels without a record; NaN is meant
        warnings.simplefilter("ignore", RuntimeWarning)
        centre, spread = np.nanmean(known, axis=(0, 1)), np.nanstd(known, axis=(0, 1))
    scale = np.where(spread > 1e-9 * (1 + np.abs(centre)), spread, 1.0)
    standard = np.nan_to_num((vectors - centre) / scale)
    return np.mean([cdist(window, window) for window in standard], axis=0)


def _window_vector(values: np.ndarray) -> np.ndarray:
    """Return each channel's mean and recorded share, (n, 2c)."""
    recorded = ~np.isnan(values)
    count = recorded.sum(axis=1)
    total = np.where(recorded, values, 0.0).sum(axis=1)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return np.concatenate([mean, count / values.shape[1]], axis=1)


@dataclass(frozen=True)
class _SubjectPairs:
    """Sums of distances and numbers of pairs of series, by pair of subjects, both (s, s)."""

    sums: np.ndarray
    pairs: np.ndarray

    @classmethod
    def of(cls, distance: np.ndarray, subjects: np.ndarray) -> _SubjectPairs:
        order = np.argsort(subjects, kind="stable")
        starts = np.searchsorted(subjects[order], np.arange(subjects.max() + 1))
        moved = distance[np.ix_(order, order)]
        sums = np.add.reduceat(np.add.reduceat(moved, starts, axis=0), starts, axis=1)
        size = np.bincount(subjects).astype(np.float64)
        pairs = np.outer(size, size)
        np.fill_diagonal(sums, 0.0)
        np.fill_diagonal(pairs, 0.0)
        return cls(sums, pairs)

    def energy(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the normalised energy distance for each row of subject weights (r, s)."""
        between = self._mean(first, second)
        within = self._mean(first, first) + self._mean(second, second)
        safe = np.where(between > 0, between, 1.0)
        return np.where(between > 0, 1 - within / (2 * safe), 0.0)

    def _mean(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return ((left @ self.sums) * right).sum(axis=1) / ((left @ self.pairs) * right).sum(axis=1)
