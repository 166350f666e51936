"""Metrics of what is recorded over time: codes of visits, gaps between them, how many there are.

Events are the codes of the columns of codes. In a table without such columns, whose subjects have
records at several times, the levels of its columns stand for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from casemix.core.fields import LEVELLED, Field, Kind
from casemix.core.metric import EvalData, Family, Goal, Metric, Score, View
from casemix.errors import EvaluationError
from casemix.evaluation import events
from casemix.evaluation.centred_interval import centred_interval
from casemix.modalities.tabular.scores import where_it_applies

_REPEATS = 20  # bootstrap samples
_ONLY = frozenset({"tabular"})

Probabilities = Callable[[pd.DataFrame], pd.Series]
Numbers = Callable[[pd.DataFrame], np.ndarray]
Reader = Callable[[EvalData], tuple[pd.DataFrame, pd.DataFrame]]


def events_of(data: EvalData) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return real and synthetic codes as events: subject, time, code (``column=code``).

    Raises:
        EvaluationError: no column of codes, nor levels of real subjects with records at several
            times; or an arm without any code.
    """
    fields = [f for f in data.holdout.samples.payload.schema if f.kind is Kind.CODES]
    if not fields and _several(data.holdout):
        fields = [f for f in data.holdout.samples.payload.schema if f.kind in LEVELLED]
    if not fields:
        raise EvaluationError(
            "These records hold no events.",
            given="a table without codes",
            allowed="a column of codes, or levels of subjects with records at several times",
        )
    real, made = (
        pd.concat([_column_events(view, f) for f in fields], ignore_index=True)
        for view in (data.holdout, data.synthetic)
    )
    return real, made


def visits_of(data: EvalData) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return one event per real and per synthetic record: subject, time, code ``record``.

    Raises:
        EvaluationError: no real subject has records at two times.
    """
    if not _several(data.holdout):
        raise EvaluationError(
            "Each subject has records at one time only, so that nothing is told of visits.",
            allowed="subjects with records at several times",
        )
    real, made = (_events(view, "record") for view in (data.holdout, data.synthetic))
    return real, made


def _several(view: View) -> bool:
    rows = view.samples.index[["subject_id", "time"]].drop_duplicates()
    return bool(rows["subject_id"].duplicated().any())


def _events(view: View, codes: Any) -> pd.DataFrame:
    rows = view.samples.index
    owners = {"subject": rows["subject_id"].to_numpy(), "time": rows["time"].to_numpy()}
    return pd.DataFrame({**owners, "code": codes})


def _column_events(view: View, field: Field) -> pd.DataFrame:
    column = view.samples.payload.frame[field.name]
    found = _events(view, column.to_numpy(dtype=object))
    found = found.explode("code") if field.kind is Kind.CODES else found
    found = found.dropna(subset=["code"])
    return found.assign(code=f"{field.name}=" + found["code"].astype(str))


def _explained(measure: Probabilities) -> Callable[[EvalData, int], Score]:
    @where_it_applies
    def compute(data: EvalData, seed: int) -> Score:
        real, made = events_of(data)
        found = events.explained(measure(real), measure(made))
        draws = [
            _value(measure, a, b)
            for a, b in zip(
                events.resampled(real, seed=seed, repeats=_REPEATS),
                events.resampled(made, seed=seed + 1, repeats=_REPEATS),
                strict=True,
            )
        ]
        details = {
            "slices": dict(found.slices),
            "entries": found.n,
            "never_in_synthetic": found.unseen,
        }
        note = f"{len(real)} real and {len(made)} synthetic events"
        interval = centred_interval(found.value, draws, (-np.inf, 1.0))
        return Score(found.value, interval, _subjects(data), note=note, details=details)

    return compute


def _value(measure: Probabilities, real: pd.DataFrame, made: pd.DataFrame) -> float:
    try:
        return events.explained(measure(real), measure(made)).value
    except EvaluationError:  # a sample without a second visit
        return float("nan")


@where_it_applies
def _gaps(data: EvalData, seed: int) -> Score:
    return _distance(data, seed, visits_of, events.visit_gaps, "log hours")


@where_it_applies
def _visits_per_subject(data: EvalData, seed: int) -> Score:
    return _distance(data, seed, visits_of, _visit_counts, "visits")


@where_it_applies
def _codes_per_visit(data: EvalData, seed: int) -> Score:
    return _distance(data, seed, events_of, _per_visit, "codes")


def _visit_counts(found: pd.DataFrame) -> np.ndarray:
    return events.lengths(found)["visits"].to_numpy()


def _per_visit(found: pd.DataFrame) -> np.ndarray:
    return found.groupby(["subject", "time"]).size().to_numpy()


def _distance(data: EvalData, seed: int, read: Reader, measure: Numbers, unit: str) -> Score:
    real, made = read(data)
    found = events.distance(measure(real), measure(made))
    draws = [
        events.distance(measure(a), measure(b)).ks
        for a, b in zip(
            events.resampled(real, seed=seed, repeats=_REPEATS),
            events.resampled(made, seed=seed + 1, repeats=_REPEATS),
            strict=True,
        )
    ]
    details = {"wasserstein": found.wasserstein, "medians": list(found.medians), "unit": unit}
    interval = centred_interval(found.ks, draws, (0.0, 1.0))
    return Score(found.ks, interval, _subjects(data), note=unit, details=details)


def _subjects(data: EvalData) -> int:
    return min(len(set(v.samples.subject_ids)) for v in (data.holdout, data.synthetic))


#: None has a control among the generators: `tabular/marginals` keeps whole lists of codes, and the
#: records' times are given to it. That they fail shuffled codes is a test of theirs.
EVENT_METRICS = (
    Metric(
        "code_prevalence_r2",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (-np.inf, 1),
        _explained(events.code_prevalence),
        control="",
        description="R2 of synthetic against real shares of subjects with each code (HALO, "
        "Theodorou 2023). Frequent codes own it: the details slice it by rank.",
        modalities=_ONLY,
    ),
    Metric(
        "code_pair_r2",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (-np.inf, 1),
        _explained(events.code_pairs),
        control="",
        description="R2 of the shares of visits with both codes of a pair (HALO). High values do "
        "not mean that single records are consistent.",
        modalities=_ONLY,
    ),
    Metric(
        "code_bigram_r2",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (-np.inf, 1),
        _explained(events.code_bigrams),
        control="",
        description="R2 of the shares of consecutive visits with one code in the earlier and "
        "another in the later one (HALO, sequential visit bigrams).",
        modalities=_ONLY,
    ),
    Metric(
        "visit_gap_distance",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        _gaps,
        control="",
        description="Kolmogorov-Smirnov distance of the log hours between a subject's consecutive "
        "records; Wasserstein distance in the details. Blind to their order.",
        modalities=_ONLY,
    ),
    Metric(
        "visit_count_distance",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        _visits_per_subject,
        control="",
        description="Kolmogorov-Smirnov distance of the numbers of visits per subject.",
        modalities=_ONLY,
    ),
    Metric(
        "code_count_distance",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        _codes_per_visit,
        control="",
        description="Kolmogorov-Smirnov distance of the numbers of codes per visit.",
        modalities=_ONLY,
    ),
)
