"""Downstream models that read the records themselves: trained on one set, judged on another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from casemix.core.downstream import Downstream, Predict, Task
from casemix.core.metric import EvalData, Score, View
from casemix.core.samples import Samples
from casemix.errors import EvaluationError
from casemix.evaluation.statistics import FloatArray, percentile_interval
from casemix.evaluation.survival import martingale_residuals
from casemix.evaluation.targets import has_target, measure_of, target_values, with_target
from casemix.evaluation.utility import Measure, Utility, judged, unjudgeable

_FEWEST = 8  # training records
_VALIDATION_SEED = 20  # shared by the arms, which validate the same models


def payload_utility(data: EvalData, seed: int) -> Score:
    """Return TSTR of the modality's own downstream models, averaged over them.

    No model is picked: each arm averages over all. The interval resamples test subjects.
    """
    if not data.downstream or not has_target(data):
        return Score(None, note="no downstream model reads these records, or no field to predict")
    measure = measure_of(data)
    train, test = (with_target(data, v.in_order()) for v in (data.synthetic, data.holdout))
    target = target_values(data, test)
    if reason := unjudgeable(target, measure):
        return Score(None, n=len(target), note=reason)
    found: dict[str, Utility] = {}
    for name, model in data.downstream.items():
        trained = _Trained.fit(model, train, target_values(data, train), measure, seed=seed)
        classes = np.unique(target.astype(str)) if measure == "auroc" else None
        scores = trained.scores(test.samples, classes)
        reference = target if classes is None else np.searchsorted(classes, target.astype(str))
        found[name] = judged(
            reference, scores, measure=measure, test_subjects=test.samples.subject_ids, seed=seed
        )
    values = [u.value for u in found.values() if u.value is not None]
    draws = np.mean([u.draws for u in found.values()], axis=0)
    models = {k: {"value": u.value, "interval": list(u.interval or ())} for k, u in found.items()}
    named = {"measure": measure, "target": data.target, "event": data.event}
    note = f"mean of {', '.join(found)}, trained on {len(train)} records"
    return Score(
        float(np.mean(values)),
        percentile_interval(draws),
        len(target),
        note=note,
        details={**named, "models": models},
    )


def validation_scores(
    data: EvalData, classes: npt.NDArray | None
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return predictions of synthetic and held-out records by models trained on members.

    Records are those that have a target, in the order of their ids. The models are the modality's
    own, by name; they are trained once for all arms.

    Args:
        data: the protocol's arms of one modality.
        classes: all class labels, sorted, for a class target; otherwise None.
    """
    measure = measure_of(data)
    tests = [with_target(data, v.in_order()).samples for v in (data.synthetic, data.holdout)]
    found = {}
    for name, model in data.downstream.items():
        trained = data.once(f"downstream.{name}.{data.target}", _on_members(data, model, measure))
        made, real = (trained.scores(test, classes) for test in tests)
        found[name] = (made, real)
    return found


class _Trained:
    """A fitted downstream model and the classes that it knows."""

    def __init__(self, predict: Predict, classes: npt.NDArray | None) -> None:
        self._predict, self._classes = predict, classes

    @classmethod
    def fit(
        cls, model: Downstream, train: View, y: npt.NDArray, measure: Measure, *, seed: int
    ) -> _Trained:
        if len(y) < _FEWEST:
            raise EvaluationError(
                "There are too few records with a target to train a downstream model.",
                given=len(y),
                allowed=f"at least {_FEWEST}",
            )
        if measure != "auroc":
            numbers = martingale_residuals(y) if measure == "c_index" else y.astype(np.float64)
            return cls(model(train.samples, numbers, task=Task.REGRESSION, seed=seed), None)
        classes, codes = np.unique(y.astype(str), return_inverse=True)
        if len(classes) < 2:  # nothing to learn: every class scores alike
            return cls(lambda samples: np.zeros((len(samples), 1)), classes)
        return cls(model(train.samples, codes, task=Task.CLASSIFICATION, seed=seed), classes)

    def scores(self, samples: Samples, classes: npt.NDArray | None) -> FloatArray:
        """Return probabilities (m, classes), 0 for a class that training lacked; or numbers."""
        found = np.asarray(self._predict(samples), dtype=np.float64)
        if classes is None or self._classes is None:
            return found
        scores = np.zeros((len(found), len(classes)))
        for column, name in enumerate(self._classes):
            scores[:, classes == name] = found[:, [column]]
        return scores


def _on_members(data: EvalData, model: Downstream, measure: Measure) -> Callable[[View], _Trained]:
    """Return a fit on the members instead of the records that the embedder knows.

    Validation is about models whose training records the generator has seen too.
    """

    def fit(_: View) -> _Trained:
        train = with_target(data, data.members.in_order())
        y = target_values(data, train)
        return _Trained.fit(model, train, y, measure, seed=_VALIDATION_SEED)

    return fit
