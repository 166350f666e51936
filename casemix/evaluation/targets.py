"""What downstream models predict from records: a class, a number, or the time of an event."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from casemix.core.fields import Field, Kind, Schema
from casemix.core.metric import EvalData, View
from casemix.errors import EvaluationError, did_you_mean
from casemix.evaluation import tables
from casemix.evaluation.labelled import Labelled
from casemix.evaluation.survival import follow_up
from casemix.evaluation.utility import Measure


def has_target(data: EvalData) -> bool:
    """Return whether there is a field to predict."""
    return data.target in data.context_schema or data.target in data.findings_schema


def measure_of(data: EvalData) -> Measure:
    """Return how models of the target are judged: by C-index where an event is named."""
    if data.event:
        return "c_index"
    return "spearman" if _field(data, data.target).kind is Kind.NUMERIC else "auroc"


def check_survival(schema: Schema, target: str, event: str) -> None:
    """Check that a follow-up time and its event can be predicted together.

    Raises:
        EvaluationError: a field that is unknown, a time that is not numeric, or an event that is
            not binary.
    """
    for name, kind in ((target, Kind.NUMERIC), (event, Kind.BINARY)):
        if name not in schema:
            raise EvaluationError(
                f"There is no field '{name}'.",
                given=name,
                allowed=schema.names,
                next_step=did_you_mean(name, schema.names),
            )
        if schema[name].kind is not kind:
            raise EvaluationError(
                "Survival needs a numeric time as target and a binary event.",
                given=f"'{name}' is {schema[name].kind}",
                allowed=kind,
                next_step="Name the time with --target and the event with --event.",
            )


def known(data: EvalData, view: View) -> npt.NDArray[np.bool_]:
    """Return which records have a target, (n,)."""
    cells = [_cells(view, name) for name in _names(data)]
    found: npt.NDArray[np.bool_] = np.all([c.notna().to_numpy() for c in cells], axis=0)
    return found


def target_values(data: EvalData, view: View) -> npt.NDArray:
    """Return the target of every record, (n,); all must be known.

    Class labels, numbers, or follow-up as `casemix.evaluation.survival.follow_up` returns it.
    """
    values = _cells(view, data.target).to_numpy()
    if not data.event:
        return values
    happened = _cells(view, data.event).astype(str) == _field(data, data.event).levels[-1]
    return follow_up(values.astype(np.float64), happened.to_numpy())


def with_target(data: EvalData, view: View) -> View:
    """Return the records that have a target."""
    return view.take(np.flatnonzero(known(data, view)))


def features(view: View) -> pd.DataFrame:
    """Return findings and embedding side by side, (n, f + d): what a classifier may look at."""
    names = [f"embedding.{k}" for k in range(view.embedding.shape[1])]
    vectors = pd.DataFrame(view.embedding.astype(float), view.findings.index, names)
    return pd.concat([view.findings, vectors], axis=1)


def labelled(data: EvalData, *views: View, embedding: bool = True) -> list[Labelled]:
    """Return records of each view that have a target, encoded alike.

    A model never looks at the target, nor at an embedding of it.

    Args:
        data: names the target.
        views: the parts.
        embedding: whether models may look at the embedding beside the findings.
    """
    own = [name for name in _names(data) if name in data.findings_schema]
    parts = [with_target(data, view) for view in views]
    frames = [
        features(part) if embedding and not own else part.findings.drop(columns=own)
        for part in parts
    ]
    whole = pd.concat(frames, keys=range(len(frames)))
    encoded, _, _ = tables.encode_columns(whole, whole)
    cuts = np.cumsum([0, *(len(frame) for frame in frames)])
    return [
        Labelled(np.asarray(encoded[a:b]), target_values(data, part), part.samples.subject_ids)
        for part, a, b in zip(parts, cuts[:-1], cuts[1:], strict=True)
    ]


def _names(data: EvalData) -> list[str]:
    return [data.target, data.event] if data.event else [data.target]


def _field(data: EvalData, name: str) -> Field:
    schema = data.context_schema if name in data.context_schema else data.findings_schema
    return schema[name]


def _cells(view: View, name: str) -> pd.Series:
    return view.context[name] if name in view.context else view.findings[name]
