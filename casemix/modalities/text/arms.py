"""Two arms of notes, and intervals of the distance between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import wasserstein_distance

from casemix.core.metric import EvalData, View
from casemix.evaluation.centred_interval import centred_interval
from casemix.evaluation.statistics import FloatArray, IntArray, bootstrap_rows


@dataclass(frozen=True)
class Arm:
    """One arm's notes, in the order of their sample ids.

    Attributes:
        view: the records.
        texts: n notes.
        subjects: (n,) their subjects.
    """

    view: View
    texts: tuple[str, ...]
    subjects: np.ndarray

    @classmethod
    def of(cls, view: View) -> Arm:
        """Return the notes of a view; the order of its rows is forgotten."""
        view = view.in_order()
        return cls(view, view.samples.payload.texts, view.samples.subject_ids)


def arms(data: EvalData) -> tuple[Arm, Arm]:
    """Return held-out and synthetic notes."""
    return Arm.of(data.holdout), Arm.of(data.synthetic)


def subjects_in(*both: Arm) -> int:
    """Return the number of subjects of the smaller arm."""
    return min(len(set(arm.subjects)) for arm in both)


def distance_interval(
    real: Arm,
    made: Arm,
    measure: Callable[[IntArray, IntArray], float],
    value: float,
    seed: int,
    *,
    bounds: tuple[float, float] = (0.0, np.inf),
) -> tuple[float, float]:
    """Return the bootstrap interval of a distance, subjects resampled; see `centred_interval`."""
    rows = zip(
        bootstrap_rows(real.subjects, seed=seed),
        bootstrap_rows(made.subjects, seed=seed + 1),
        strict=True,
    )
    return centred_interval(value, [measure(a, b) for a, b in rows], bounds)


def shift(a: FloatArray, b: FloatArray) -> float:
    """Return the Wasserstein distance of two samples without their gaps, NaN if one is empty."""
    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    return float(wasserstein_distance(a, b)) if len(a) and len(b) else float("nan")


def sizes(real: Arm, made: Arm) -> str:
    """Return how many notes are compared, for a score's note."""
    return f"{len(real.texts)} held-out and {len(made.texts)} synthetic notes"


def real_and_made(
    real: FloatArray, made: FloatArray, percentile: float | None = None
) -> dict[str, float | None]:
    """Return the mean, or a percentile, of either arm without its gaps, for a score's details."""

    def summary(values: FloatArray) -> float:
        held = values[~np.isnan(values)]
        if not len(held):
            return float("nan")
        return float(held.mean() if percentile is None else np.percentile(held, percentile))

    return finite({"real": summary(real), "synthetic": summary(made)})


def finite(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """Return numbers that JSON can hold: None for those that are not finite."""
    return {name: x if np.isfinite(x) else None for name, x in numbers.items()}


def mean(values: Iterable[float]) -> float:
    """Return the mean of a few numbers."""
    return float(np.mean(list(values)))
