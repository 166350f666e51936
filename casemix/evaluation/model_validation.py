"""Model validation: can synthetic records stand in for a real test set?

Whoever holds no real test data would choose among models, and quote their quality, on synthetic
records. Both are judged here: a fixed set of models, trained on real records, is scored on
synthetic and on real held-out ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from casemix.errors import EvaluationError
from casemix.evaluation.downstream import MEMORISING, classifiers, regressors
from casemix.evaluation.labelled import Labelled
from casemix.evaluation.statistics import (
    Estimate,
    FloatArray,
    as_matrix,
    bootstrap_rows,
    percentile_interval,
)
from casemix.evaluation.survival import martingale_residuals
from casemix.evaluation.utility import (
    SCORES,
    Measure,
    class_probabilities,
    scores_of,
    unjudgeable,
)

_REPEATS = 200  # bootstrap samples
_FLATTERED = 0.02  # a bias beyond this, with its interval, is worth a note


@dataclass(frozen=True)
class Agreement:
    """How far scores on synthetic records agree with scores on real held-out ones.

    Attributes:
        tau: Kendall's tau-b of the two rankings; 1 is the same order. Good models predict alike,
            so that on labels without meaning all may rank right, or wrong, by chance: read the
            lower end of the interval.
        error: mean over the models of the absolute error of the measure.
        bias: mean of the signed error; above 0 the synthetic records flatter the models.
        memorised: by how much more the synthetic records flatter the models that know their
            training records by heart than the others; above 0 they are near training records.
        regret: what is lost, on real records, by taking the model that is best on synthetic ones.
    """

    tau: Estimate
    error: Estimate
    bias: Estimate
    memorised: Estimate
    regret: float


@dataclass(frozen=True)
class ModelValidation:
    """Models trained on real records, scored on synthetic and on real held-out ones.

    Attributes:
        on_synthetic: the measure on the synthetic records, by model.
        on_real: the measure on the real held-out records, by model.
        agreement: of the two; None where a test set's target is constant.
        measure: "auroc", "r2", "spearman" or "c_index".
        n: number of real held-out records.
        note: why there is no agreement, or what is suspicious about it; empty if all is well.
    """

    on_synthetic: dict[str, Estimate]
    on_real: dict[str, Estimate]
    agreement: Agreement | None
    measure: Measure
    n: int
    note: str = ""


def model_validation(
    train: Labelled,
    synthetic: Labelled,
    holdout: Labelled,
    *,
    measure: Measure = "auroc",
    further: Mapping[str, tuple[FloatArray, FloatArray]] | None = None,
    seed: int,
) -> ModelValidation:
    """Rank models, trained on real records, on synthetic and on real held-out records.

    The models range from an uninformed one to a forest. Some know their training records by
    heart (the nearest neighbour, a full tree): copies of training records flatter these, so that
    copies, which match the ceiling on other scores, fail here. For that, ``train`` must be what
    the generator was fitted on. The intervals resample the subjects of both test sets. Between
    two small real test sets tau is below 1 as well: compare it with the ceiling, which is this
    call with equally many other real records as ``synthetic``.

    Args:
        train: real records on which the generator was fitted.
        synthetic: the synthetic records, as a test set.
        holdout: real held-out records.
        measure: "auroc" for class labels, "r2" or "spearman" for numbers, "c_index" for follow-up:
            then the models learn martingale residuals.
        further: predictions, of the synthetic and of the held-out records, by more models trained
            on ``train``: probabilities of `all_classes`, or numbers.
        seed: seed of models and bootstrap.

    Raises:
        EvaluationError: too few records, arrays that do not fit together, or a constant training
            target.

    Reference:
        Kendall, The treatment of ties in ranking problems, Biometrika 1945 (tau-b).
    """
    tests = {"synthetic": synthetic, "held-out": holdout}
    n = len(np.asarray(holdout.y))
    for name, test in tests.items():
        if reason := unjudgeable(np.asarray(test.y), measure):
            return ModelValidation({}, {}, None, measure, n, f"{name} records: {reason}")
    _check(train, tests)
    fitted, more = _fit(train, measure, seed), further or {}
    classes = all_classes(train, synthetic, holdout) if measure == "auroc" else None
    predicted = [_predict(fitted, test, classes) for test in (synthetic, holdout)]
    for name, (of_synthetic, of_holdout) in more.items():
        predicted[0][name], predicted[1][name] = of_synthetic, of_holdout
    made = _judge(predicted[0], synthetic, classes, measure, seed=seed + 1)
    real = _judge(predicted[1], holdout, classes, measure, seed=seed)
    names = list(predicted[0])
    agreement = _agreement(made, real, np.isin(names, MEMORISING))
    return ModelValidation(
        made.by_model(names),
        real.by_model(names),
        agreement,
        measure,
        n,
        "; ".join(filter(None, (_absent(synthetic, holdout, measure), _suspicion(agreement)))),
    )


def all_classes(*parts: Labelled) -> npt.NDArray:
    """Return the class labels of all records, sorted strings (c,)."""
    return np.unique(np.concatenate([np.asarray(part.y).astype(str) for part in parts]))


def kendall_tau(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return Kendall's tau-b of each column of two (models, k) arrays, (k,); NaN if all tie."""
    signs = [np.sign(scores[:, None] - scores[None]) for scores in (first, second)]
    together = (signs[0] * signs[1]).sum(axis=(0, 1))
    untied = np.prod([(s**2).sum(axis=(0, 1)) for s in signs], axis=0)
    tau: FloatArray = np.full(together.shape, np.nan)
    np.divide(together, np.sqrt(untied), out=tau, where=untied > 0)
    return tau


@dataclass(frozen=True)
class _Scores:
    """The measure of each model on one test set: (models,), and its draws (models, repeats)."""

    values: FloatArray
    draws: FloatArray
    n: int

    def by_model(self, names: list[str]) -> dict[str, Estimate]:
        rows = zip(names, self.values, self.draws, strict=True)
        return {
            name: Estimate(float(value), percentile_interval(draws), self.n)
            for name, value, draws in rows
        }


def _check(train: Labelled, tests: dict[str, Labelled]) -> None:
    width = as_matrix(train.x, "training features", nan=True).shape[1]
    for name, part in {"training": train, **tests}.items():
        x, y = as_matrix(part.x, f"{name} features", nan=True), np.asarray(part.y)
        if x.shape[1] != width or y.shape != (len(x),):
            raise EvaluationError(
                f"The {name} features and targets do not fit together.",
                given=f"{x.shape} with {y.shape}",
                allowed=f"(n, {width}) with (n,)",
            )
    if len(np.unique(np.asarray(train.y))) < 2:
        raise EvaluationError("No model can be trained: the training target is constant.")


def _fit(train: Labelled, measure: Measure, seed: int) -> dict[str, BaseEstimator]:
    x, y = np.asarray(train.x, dtype=np.float64), np.asarray(train.y)
    if measure == "auroc":
        return {k: m.fit(x, y.astype(str)) for k, m in classifiers(len(x), seed=seed).items()}
    residuals = measure == "c_index"
    target = martingale_residuals(y) if residuals else as_matrix(y, "training target")[:, 0]
    return {name: m.fit(x, target) for name, m in regressors(len(x), seed=seed).items()}


def _predict(
    fitted: dict[str, BaseEstimator], test: Labelled, classes: npt.NDArray | None
) -> dict[str, FloatArray]:
    x = np.asarray(test.x, dtype=np.float64)
    if classes is None:
        return {name: np.asarray(m.predict(x), dtype=np.float64) for name, m in fitted.items()}
    return {name: class_probabilities(m, x, classes) for name, m in fitted.items()}


def _judge(
    predicted: Mapping[str, FloatArray],
    test: Labelled,
    classes: npt.NDArray | None,
    measure: Measure,
    *,
    seed: int,
) -> _Scores:
    y = np.asarray(test.y)
    if classes is not None:
        reference: npt.NDArray = np.searchsorted(classes, y.astype(str))
    else:
        reference = y if measure == "c_index" else as_matrix(y, "test target")[:, 0]
    subjects = np.arange(len(y)) if test.subjects is None else test.subjects
    samples = bootstrap_rows(subjects, seed=seed, repeats=_REPEATS)
    draws = [scores_of(measure, reference, scores, samples) for scores in predicted.values()]
    values = [SCORES[measure](reference, scores) for scores in predicted.values()]
    return _Scores(np.array(values), np.array(draws), len(y))


def _agreement(made: _Scores, real: _Scores, heart: npt.NDArray[np.bool_]) -> Agreement:
    """Compare two test sets' scores; ``heart`` (models,) marks the memorising models."""
    gaps, drawn = made.values - real.values, made.draws - real.draws

    def estimate(value: FloatArray, draws: FloatArray) -> Estimate:
        return Estimate(float(value), percentile_interval(draws), real.n)

    return Agreement(
        estimate(
            kendall_tau(made.values[:, None], real.values[:, None])[0],
            kendall_tau(made.draws, real.draws),
        ),
        estimate(np.abs(gaps).mean(), np.abs(drawn).mean(axis=0)),
        estimate(gaps.mean(), drawn.mean(axis=0)),
        estimate(_memorised(gaps, heart), _memorised(drawn, heart)),
        float(real.values.max() - real.values[np.argmax(made.values)]),
    )


def _memorised(gaps: FloatArray, heart: npt.NDArray[np.bool_]) -> FloatArray:
    """Return the bias of memorising models beyond the others' flattery, of (models, ...) gaps.

    Where the others lose, as on records without any dependence, their loss is no yardstick.
    """
    return gaps[heart].mean(axis=0) - np.maximum(0.0, gaps[~heart].mean(axis=0))


def _absent(synthetic: Labelled, holdout: Labelled, measure: Measure) -> str:
    if measure != "auroc":
        return ""
    known = [set(np.asarray(part.y).astype(str)) for part in (synthetic, holdout)]
    absent = sorted(known[1] - known[0])
    return f"no synthetic record of class {', '.join(absent)}" if absent else ""


def _suspicion(agreement: Agreement) -> str:
    if agreement.memorised.interval[0] > _FLATTERED:
        return (
            "models that know their training records by heart do better on the synthetic records "
            "than on new ones: look for copied training records"
        )
    if agreement.bias.interval[0] > _FLATTERED:
        return (
            "labels are easier to predict in the synthetic records than in real ones: "
            "copied or caricatured records"
        )
    return ""
