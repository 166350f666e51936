"""The arms of a comparison: series in a fixed order, at most so many subjects, each weighed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from casemix.core import seeding
from casemix.core.metric import EvalData, View
from casemix.errors import EvaluationError
from casemix.evaluation.statistics import bootstrap_weights
from casemix.modalities.timeseries.data import Series

FEWEST = 10  # subjects per arm
MOST = 500  # subjects per arm


@dataclass(frozen=True)
class Arm:
    """Series of one arm in the order of their sample ids.

    Args:
        series: n of them.
        subjects: subject codes 0..s-1, int (n,).
        embedding: vectors of the frozen embedder, (n, d).
    """

    series: Series
    subjects: np.ndarray
    embedding: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """Float32 (n, t, c), NaN = not recorded."""
        return self.series.values

    @property
    def count(self) -> int:
        """The number of subjects."""
        return int(self.subjects.max()) + 1

    def weights(self, *, seed: int, repeats: int) -> np.ndarray:
        """Return how often each series counts, (1 + repeats, n).

        The first row counts each once; the others are bootstrap samples of subjects.
        """
        drawn = bootstrap_weights(self.count, seed=seed, repeats=repeats)
        return np.concatenate([np.ones((1, len(self.subjects))), drawn[:, self.subjects]])


@dataclass(frozen=True)
class Arms:
    """The held-out real and the synthetic series."""

    real: Arm
    synthetic: Arm

    @classmethod
    def of(cls, data: EvalData, *, seed: int, most: int = MOST) -> Arms:
        """Return both arms, of at most ``most`` subjects each.

        Raises:
            EvaluationError: fewer than 10 subjects in an arm, or arms on other times or channels.
        """
        real, synthetic = data.holdout.samples.payload, data.synthetic.samples.payload
        if _form(real) != _form(synthetic):
            raise EvaluationError(
                "Real and synthetic series have other times or channels.",
                given=_form(synthetic),
                allowed=_form(real),
                next_step="Bring both on one grid of times first.",
            )
        return cls(*(arm(view, seed=seed, most=most) for view in (data.holdout, data.synthetic)))

    @property
    def n(self) -> int:
        """The number of subjects in the smaller arm."""
        return min(self.real.count, self.synthetic.count)

    @property
    def names(self) -> list[str]:
        """The channels' names."""
        return [f.name for f in self.real.series.channels]

    def weights(self, *, seed: int, repeats: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights of both arms' series; see `Arm.weights`."""
        return (
            self.real.weights(seed=seed, repeats=repeats),
            self.synthetic.weights(seed=seed + 1, repeats=repeats),
        )


def arm(view: View, *, seed: int, most: int = MOST) -> Arm:
    """Return a view's series in the order of their sample ids, of at most ``most`` subjects.

    Raises:
        EvaluationError: fewer than 10 subjects.
    """
    samples = view.samples
    ids = np.unique(samples.subject_ids.astype(str))
    if len(ids) < FEWEST:
        raise EvaluationError(
            "There are too few subjects to judge series.",
            given=f"{len(ids)} subjects",
            allowed=f"at least {FEWEST}",
            next_step="Evaluate on more subjects.",
        )
    drawn = seeding.generator(seed, "timeseries", "arm").permutation(len(ids))[:most]
    kept = np.isin(samples.subject_ids.astype(str), ids[drawn])
    order = np.argsort(np.asarray(samples.sample_ids).astype(str), kind="stable")
    rows = order[kept[order]]
    codes = np.unique(samples.subject_ids[rows].astype(str), return_inverse=True)[1]
    return Arm(samples.payload.take(rows), codes, view.embedding[rows])


def _form(series: Series) -> tuple[int, float, tuple[str, ...]]:
    """Return the number of times, the seconds between them and the channels' names."""
    names = tuple(f.name for f in series.channels)
    return series.values.shape[1], series.step_seconds, names


def windows(times: int, most: int) -> list[np.ndarray]:
    """Return the rows of at most ``most`` equally long windows of time.

    >>> [w.tolist() for w in windows(5, 2)]
    [[0, 1, 2], [3, 4]]
    """
    return np.array_split(np.arange(times), min(times, most))
