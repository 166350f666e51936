"""Utility: is a model trained on synthetic records as good on real ones as one trained on real?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from casemix.errors import EvaluationError
from casemix.evaluation.prediction_measures import SCORES, Measure, scores_of, unjudgeable
from casemix.evaluation.predictors import (
    Model,
    class_probabilities,
    model_for,
    on_scaled_columns,
    predictions,
)
from casemix.evaluation.statistics import FloatArray, bootstrap_rows, percentile_interval

__all__ = [
    "SCORES",
    "Gap",
    "Measure",
    "Model",
    "Utility",
    "class_probabilities",
    "judged",
    "model_for",
    "on_scaled_columns",
    "predictions",
    "scores_of",
    "tstr",
    "unjudgeable",
    "utility_gap",
]

_REPEATS = 200  # bootstrap samples


@dataclass(frozen=True)
class Utility:
    """How well a trained model does on real test records.

    Attributes:
        value: the measure; None where it is undefined.
        interval: bootstrap over test subjects, or None with the value.
        measure: "auroc" (macro one-against-rest beyond two classes), "r2", "spearman" or
            "c_index" (Harrell).
        n: number of test records.
        note: why the value is None, or what the training data lacked; empty if all is well.
        draws: (repeats,) bootstrap values. The same test records and seed give the same samples,
            so that differences of two models are paired.
    """

    value: float | None
    interval: tuple[float, float] | None
    measure: Measure
    n: int
    note: str = ""
    draws: tuple[float, ...] = ()


@dataclass(frozen=True)
class Gap:
    """Utility lost by training on synthetic records; None where either side is undefined."""

    value: float | None
    interval: tuple[float, float] | None
    note: str = ""


def tstr(
    train_x: npt.ArrayLike,
    train_y: npt.ArrayLike,
    test_x: npt.ArrayLike,
    test_y: npt.ArrayLike,
    *,
    measure: Measure = "auroc",
    model: Model | None = None,
    test_subjects: npt.ArrayLike | None = None,
    seed: int,
) -> Utility:
    """Train on one cohort, test on real held-out records (TSTR; with real training data, TRTR).

    The model is boosted trees, or a ridge model on standardised, median-imputed columns. For
    follow-up times the ridge model is Cox's, and the trees learn martingale residuals. Compare
    only models of the same kind: left to `model_for`, those trained on equally many rows.

    Args:
        train_x: (n, d) features, NaN for missing.
        train_y: (n,) class labels for "auroc", `survival.follow_up` targets for "c_index",
            numbers otherwise.
        test_x: (m, d) real held-out features.
        test_y: (m,) their targets.
        measure: "auroc" classifies; "r2" and "spearman" regress; "c_index" predicts survival.
        model: the kind of model; what `model_for` the training shape says if None.
        test_subjects: (m,) subject of each test row, for the interval; each its own if None.
        seed: seed of model and bootstrap.

    Returns:
        The measure over the test rows; its interval resamples test subjects and leaves out what
        another training set would change. A class that is missing in training scores as chance,
        and so does survival without any event in training. A constant test target, or test
        records that cannot be ordered in time, leave it undefined.

    Raises:
        EvaluationError: wrong shapes, infinite features, targets not finite in regression, or
            not of `survival.follow_up` for "c_index".

    Reference:
        Esteban et al., 2017 (1706.02633).
    """
    target = np.asarray(test_y)
    if reason := unjudgeable(target, measure):
        return Utility(None, None, measure, len(target), note=reason)
    reference, scores, note = predictions(
        train_x, train_y, test_x, test_y, measure=measure, model=model, seed=seed
    )
    return judged(
        reference, scores, measure=measure, test_subjects=test_subjects, note=note, seed=seed
    )


def judged(
    reference: npt.NDArray,
    scores: FloatArray,
    *,
    measure: Measure,
    test_subjects: npt.ArrayLike | None = None,
    note: str = "",
    seed: int,
) -> Utility:
    """Return how good predictions are, with an interval over test subjects; see `tstr`.

    Args:
        reference: (m,) test targets as `SCORES` takes them.
        scores: predictions of them.
        measure: how they are compared.
        test_subjects: (m,) subject of each test row; each its own if None.
        note: goes into the result.
        seed: seed of the bootstrap.
    """
    subjects = np.arange(len(reference)) if test_subjects is None else test_subjects
    samples = bootstrap_rows(subjects, seed=seed, repeats=_REPEATS)
    draws = tuple(scores_of(measure, reference, scores, samples))
    value = SCORES[measure](reference, scores)
    return Utility(value, percentile_interval(draws), measure, len(reference), note, draws)


def utility_gap(synthetic: Utility, real: Utility) -> Gap:
    """Return the real-trained minus the synthetic-trained value, with a paired interval.

    Both must come from `tstr` with the same test records, measure and seed. 0 is ideal, above 0
    synthetic training data are worse.

    Raises:
        EvaluationError: the two were not measured alike.
    """
    if (synthetic.measure, synthetic.n) != (real.measure, real.n):
        raise EvaluationError(
            "Utilities can be compared only on the same test records and measure.",
            given=f"{synthetic.measure} on {synthetic.n} and {real.measure} on {real.n} records",
        )
    if synthetic.value is None or real.value is None:
        return Gap(None, None, synthetic.note or real.note)
    draws = np.asarray(real.draws) - np.asarray(synthetic.draws)
    return Gap(real.value - synthetic.value, percentile_interval(draws), synthetic.note)
