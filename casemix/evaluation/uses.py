"""What a cohort is used for, as metrics: training, augmenting and validating downstream models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from casemix.core.metric import EvalData, Score
from casemix.evaluation.augmentation import augmentation_curve
from casemix.evaluation.model_validation import all_classes, model_validation
from casemix.evaluation.payload_models import validation_scores
from casemix.evaluation.statistics import Estimate
from casemix.evaluation.targets import has_target, labelled, measure_of
from casemix.evaluation.utility import model_for, tstr

_MANY = 400  # records from which one subset per size of an augmentation curve is enough
_NO_TARGET = Score(
    None, note="There is no field to predict in these records; name one with --target."
)


def trained_on_synthetic(data: EvalData, seed: int) -> Score:
    """Return TSTR: train on the records under test, test on real held-out subjects.

    The model reads findings and embedding. The same kind is trained in every arm, for all arms
    hold as many subjects. The interval resamples test subjects, with the model held fixed.
    """
    if not has_target(data):
        return _NO_TARGET
    train, test = labelled(data, data.synthetic.in_order(), data.holdout.in_order())
    found = tstr(
        train.x,
        train.y,
        test.x,
        test.y,
        measure=measure_of(data),
        test_subjects=test.subjects,
        seed=seed,
    )
    model = model_for(np.asarray(train.x).shape)
    details = {"measure": found.measure, "target": data.target, "event": data.event, "model": model}
    note = "; ".join(filter(None, (found.note, data.embedder)))
    return Score(found.value, found.interval, found.n, note=note, details=details)


def augmentation_gain(data: EvalData, seed: int) -> Score:
    """Return what the records under test add to few real ones.

    The real arm is the part of train that the embedder knows, so that in the ceiling arm the rest
    of train is other real data; models look at findings only.
    """
    if not has_target(data):
        return _NO_TARGET
    views = (v.in_order() for v in (data.known, data.synthetic, data.holdout))
    parts = labelled(data, *views, embedding=False)
    subsets = 1 if len(data.known) > _MANY else 3
    curve = augmentation_curve(*parts, measure=measure_of(data), subsets=subsets, seed=seed)
    points = [
        {
            "share": p.share,
            "records": p.records,
            "multiple": p.multiple,
            "model": p.model,
            **{k: _estimate(getattr(p, k)) for k in ("real", "augmented", "gain")},
        }
        for p in curve.points
    ]
    details: dict[str, Any] = {"measure": curve.measure, "curve": points}
    if curve.synthetic is not None:
        details["synthetic_alone"] = _estimate(curve.synthetic)
    if curve.gain is None:
        return Score(None, n=curve.n, note=curve.note, details=details)
    return Score(curve.gain.value, curve.gain.interval, curve.n, note=curve.note, details=details)


def validation_error(data: EvalData, seed: int) -> Score:
    """Return how wrong models' scores are that were measured on the records under test."""
    if not has_target(data):
        return _NO_TARGET
    parts = labelled(data, *(v.in_order() for v in (data.members, data.synthetic, data.holdout)))
    measure = measure_of(data)
    classes = all_classes(*parts) if measure == "auroc" else None
    further = validation_scores(data, classes)
    found = model_validation(*parts, measure=measure, further=further, seed=seed)
    if found.agreement is None:
        return Score(None, n=found.n, note=found.note)
    agreement = found.agreement
    models = {
        name: {"synthetic": made.value, "real": found.on_real[name].value}
        for name, made in found.on_synthetic.items()
    }
    details = {
        "measure": found.measure,
        "kendall_tau": _estimate(agreement.tau),
        "bias": _estimate(agreement.bias),
        "memorised": _estimate(agreement.memorised),
        "regret": agreement.regret,
        "models": models,
    }
    error = agreement.error
    note = "; ".join(filter(None, (found.note, data.embedder)))
    return Score(error.value, error.interval, found.n, note=note, details=details)


def _estimate(found: Estimate) -> Mapping[str, Any]:
    return {"value": found.value, "interval": list(found.interval)}
