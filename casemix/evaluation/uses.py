"""What a cohort is used for, as metrics: training, augmenting and validating downstream models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from casemix.core.fields import Kind
from casemix.core.metric import EvalData, Score, View
from casemix.evaluation import tables
from casemix.evaluation.augmentation import augmentation_curve
from casemix.evaluation.labelled import Labelled
from casemix.evaluation.model_validation import model_validation
from casemix.evaluation.statistics import Estimate
from casemix.evaluation.utility import Measure, tstr

_MANY = 400  # records from which one subset per size of an augmentation curve is enough
_NO_TARGET = Score(None, note="There is no field to predict in these records.")


def features(view: View) -> pd.DataFrame:
    """Return findings and embedding side by side, (n, f + d): what a classifier may look at."""
    names = [f"embedding.{k}" for k in range(view.embedding.shape[1])]
    vectors = pd.DataFrame(view.embedding.astype(float), view.findings.index, names)
    return pd.concat([view.findings, vectors], axis=1)


def measure_of(data: EvalData) -> Measure:
    """Return how models of the target are judged."""
    schema = data.context_schema if data.target in data.context_schema else data.findings_schema
    return "spearman" if schema[data.target].kind is Kind.NUMERIC else "auroc"


def labelled(data: EvalData, *views: View, embedding: bool = True) -> list[Labelled]:
    """Return records of each view that have a target, encoded alike.

    A model never looks at the target, nor at an embedding of it.

    Args:
        data: names the target.
        views: the parts.
        embedding: whether models may look at the embedding beside the findings.
    """
    own = data.target in data.findings_schema
    frames = [
        view.findings.drop(columns=[data.target])
        if own
        else features(view)
        if embedding
        else view.findings
        for view in views
    ]
    whole = pd.concat(frames, keys=range(len(frames)))
    encoded, _, _ = tables.encode_columns(whole, whole)
    cuts = np.cumsum([0, *(len(frame) for frame in frames)])
    parts = []
    for view, start, stop in zip(views, cuts[:-1], cuts[1:], strict=True):
        y = view.findings[data.target] if own else view.context[data.target]
        known = y.notna().to_numpy()
        x = np.asarray(encoded[start:stop])[known]
        parts.append(Labelled(x, y[known].to_numpy(), view.samples.subject_ids[known]))
    return parts


def has_target(data: EvalData) -> bool:
    """Return whether there is a field to predict."""
    return data.target in data.context_schema or data.target in data.findings_schema


def trained_on_synthetic(data: EvalData, seed: int) -> Score:
    """Return TSTR: train on the records under test, test on real held-out subjects."""
    if not has_target(data):
        return _NO_TARGET
    train, test = labelled(data, data.synthetic, data.holdout)
    found = tstr(
        train.x,
        train.y,
        test.x,
        test.y,
        measure=measure_of(data),
        test_subjects=test.subjects,
        seed=seed,
    )
    details = {"measure": found.measure, "target": data.target}
    return Score(found.value, found.interval, found.n, note=found.note, details=details)


def augmentation_gain(data: EvalData, seed: int) -> Score:
    """Return what the records under test add to few real ones.

    The real arm is the part of train that the embedder knows, so that in the ceiling arm the rest
    of train is other real data; models look at findings only.
    """
    if not has_target(data):
        return _NO_TARGET
    parts = labelled(data, data.known, data.synthetic, data.holdout, embedding=False)
    subsets = 1 if len(data.known) > _MANY else 3
    curve = augmentation_curve(*parts, measure=measure_of(data), subsets=subsets, seed=seed)
    points = [
        {
            "share": p.share,
            "records": p.records,
            **{k: _estimate(getattr(p, k)) for k in ("real", "augmented", "gain")},
        }
        for p in curve.points
    ]
    details = {"measure": curve.measure, "curve": points}
    if curve.gain is None:
        return Score(None, n=curve.n, note=curve.note, details=details)
    return Score(curve.gain.value, curve.gain.interval, curve.n, note=curve.note, details=details)


def validation_error(data: EvalData, seed: int) -> Score:
    """Return how wrong models' scores are that were measured on the records under test."""
    if not has_target(data):
        return _NO_TARGET
    parts = labelled(data, data.members, data.synthetic, data.holdout)
    found = model_validation(*parts, measure=measure_of(data), seed=seed)
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
    return Score(error.value, error.interval, found.n, note=found.note, details=details)


def _estimate(found: Estimate) -> Mapping[str, Any]:
    return {"value": found.value, "interval": list(found.interval)}
