"""Scores of tables: what `metrics` computes, with intervals by bootstrap over subjects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np
import pandas as pd

from casemix.core import seeding
from casemix.core.fields import Kind, Schema
from casemix.core.metric import EvalData, Score, View
from casemix.errors import EvaluationError
from casemix.evaluation import correlations, missingness, quality_report
from casemix.evaluation.alpha_precision import alpha_precision
from casemix.evaluation.centred_interval import centred_interval
from casemix.evaluation.impossible_rows import RowRules
from casemix.evaluation.rare_levels import RareLevels, rare_level_coverage, rare_value_excess
from casemix.evaluation.statistics import bootstrap_rows
from casemix.evaluation.tables import Columnwise

_REPEATS = 30  # bootstrap samples
_WORST = 10  # columns, pairs or rules that the details name

Tablewise = Callable[[pd.DataFrame, pd.DataFrame], float]


def where_it_applies(compute: Callable[[EvalData, int], Score]) -> Callable[[EvalData, int], Score]:
    """Return the computation with an undefined score, and the reason, for what has no object.

    A table without incomplete columns has no patterns of missing cells, one without codes no
    codes; too few subjects are an error of `Metric.measure`.
    """

    @wraps(compute)
    def guarded(data: EvalData, seed: int) -> Score:
        try:
            return compute(data, seed)
        except EvaluationError as error:
            return Score(None, note=str(error))

    return guarded


def column_shapes(data: EvalData, seed: int) -> Score:
    """Return the Column Shapes of sdmetrics."""
    whole = quality_report.column_shapes(data.holdout.findings, data.synthetic.findings)
    return _columnwise(data, seed, whole, lambda a, b: quality_report.column_shapes(a, b).value)


def pair_trends(data: EvalData, seed: int) -> Score:
    """Return the Column Pair Trends of sdmetrics."""
    real, made = data.holdout.findings, data.synthetic.findings
    whole = quality_report.pair_trends(real, made)
    shared = quality_report.pair_trends(real, made, bins="real").value
    return _columnwise(
        data,
        seed,
        whole,
        lambda a, b: quality_report.pair_trends(a, b).value,
        details={"with_bins_of_the_real_range": shared},
    )


@where_it_applies
def correlation_difference(data: EvalData, seed: int) -> Score:
    """Return how much correlations differ."""
    real, made = data.holdout.findings, data.synthetic.findings
    whole = correlations.correlation_difference(real, made)
    ranks = correlations.correlation_difference(real, made, method="spearman").value
    return _columnwise(
        data,
        seed,
        whole,
        lambda a, b: correlations.correlation_difference(a, b).value,
        details={"spearman": ranks},
        lowest=False,
        bounds=(0.0, 2.0),
    )


def information_difference(data: EvalData, seed: int) -> Score:
    """Return how much mutual information differs."""
    real, made = data.holdout.findings, data.synthetic.findings
    whole = correlations.mutual_information_difference(real, made)
    levels = correlations.Levels.fit(real)  # not again per draw: cuts of one table
    first, second = levels.code(real), levels.code(made)
    draws = [
        correlations.information_gap(first[a], second[b], levels.columns).value
        for a, b in _drawn(data, seed)
    ]
    return _score(data, whole.value, draws, details={"highest": _extreme(whole, lowest=False)})


def core(part: str) -> Callable[[EvalData, int], Score]:
    """Return the computation of alpha-precision (``precision``) or beta-recall (``recall``)."""

    def compute(data: EvalData, seed: int) -> Score:
        real, made = data.holdout.embedding, data.synthetic.embedding
        value = float(getattr(alpha_precision(real, made), part))
        draws = [
            float(getattr(alpha_precision(real[a], made[b]), part)) for a, b in _drawn(data, seed)
        ]
        return _score(data, value, draws, note=data.embedder)

    return compute


@where_it_applies
def impossible_rows(data: EvalData, seed: int) -> Score:
    """Return the share of impossible rows, and the rules that they break."""

    def fit(train: View) -> tuple[RowRules, int]:
        rows = _rows(train, data.context_schema)
        return RowRules.fit(rows, subjects=train.samples.subject_ids), len(rows)

    rules, learnt_from = data.once("tabular.row_rules", fit)
    rows = _rows(data.synthetic, data.context_schema)
    broken = rules.check(rows)
    wrong = np.zeros(len(rows), dtype=bool)
    by_kind: dict[str, np.ndarray] = {}
    for rule in broken:
        wrong |= rule.broken
        by_kind[rule.kind] = by_kind.get(rule.kind, np.zeros_like(wrong)) | rule.broken
    worst = sorted(broken, key=lambda rule: (-rule.broken.sum(), rule.text))[:_WORST]
    details = {
        "rules": len(rules),
        "rate_by_kind": {kind: float(flags.mean()) for kind, flags in sorted(by_kind.items())},
        "worst": [{"rule": r.text, "kind": r.kind, "rate": float(r.broken.mean())} for r in worst],
    }
    note = f"{len(rules)} rules, learnt from {learnt_from} training rows"
    draws = [float(wrong[b].mean()) for _, b in _drawn(data, seed)]
    score = _score(data, float(wrong.mean()), draws, note=note, details=details)
    if wrong.any():
        return score
    # No resampling finds a broken row where there is none: the rule of three (Hanley 1983).
    return replace(score, interval=(0.0, min(1.0, 3.0 / score.n)))


@where_it_applies
def missing_patterns(data: EvalData, seed: int) -> Score:
    """Return how much patterns of missing cells differ."""
    real, made = data.holdout.findings, data.synthetic.findings
    found = missingness.missing_pattern_distance(real, made)
    draws = _redrawn(data, seed, lambda a, b: missingness.missing_pattern_distance(a, b).value)
    details = {"patterns": found.patterns, "rows_with_them": found.common}
    return _score(data, found.value, draws, details=details)


@where_it_applies
def co_missingness(data: EvalData, seed: int) -> Score:
    """Return how much correlations of missing cells differ."""
    measure = missingness.co_missingness_difference
    value = measure(data.holdout.findings, data.synthetic.findings)
    return _score(data, value, _redrawn(data, seed, measure), bounds=(0.0, 2.0))


@where_it_applies
def rare_levels(data: EvalData, seed: int) -> Score:
    """Return the share of what is rare that the synthetic table has."""
    real, made = data.holdout.findings, data.synthetic.findings
    found = rare_level_coverage(real, made)
    held = RareLevels.fit(real).held(made)  # what is rare stays what is asked for
    draws = [float(held[b].any(axis=0).mean()) for _, b in _drawn(data, seed)]
    details = {"covered": dict(found.parts), "rare": dict(found.counts)}
    return _score(data, found.value, draws, details=details)


@where_it_applies
def rare_values(data: EvalData, seed: int) -> Score:
    """Return how much more of members' singular values the synthetic table has."""
    n = min(len(set(v.samples.subject_ids)) for v in (data.members, data.holdout))
    members, others = (_of(v, n, seed) for v in (data.members, data.holdout))
    found = rare_value_excess(
        members.findings,
        others.findings,
        data.synthetic.findings,
        subjects_members=members.samples.subject_ids,
        subjects_others=others.samples.subject_ids,
        seed=seed,
    )
    details = {"of_members": found.members, "of_others": found.others}
    note = f"values that one of {n} subjects alone has"
    return Score(found.value, found.interval, n, note=note, details=details)


def _rows(view: View, context: Schema) -> pd.DataFrame:
    """Return findings and context side by side: a rule may tie a cell to sex or age."""
    names = [f.name for f in context if f.kind is not Kind.CODES]
    return pd.concat([view.context[names], view.findings], axis=1)


def _of(view: View, n: int, seed: int) -> View:
    """Return the records of n random subjects."""
    ids = np.array(sorted(set(view.samples.subject_ids)), dtype=object)
    chosen = set(ids[seeding.generator(seed, "rare values").permutation(len(ids))[:n]])
    return view.take(np.flatnonzero([s in chosen for s in view.samples.subject_ids]))


def _drawn(data: EvalData, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return rows of both arms for each bootstrap sample of subjects."""
    arms = (data.holdout, data.synthetic)
    samples = [
        bootstrap_rows(view.samples.subject_ids, seed=seed + k, repeats=_REPEATS)
        for k, view in enumerate(arms)
    ]
    return list(zip(*samples, strict=True))


def _redrawn(data: EvalData, seed: int, measure: Tablewise) -> list[float]:
    real, made = data.holdout.findings, data.synthetic.findings
    return [measure(real.iloc[a], made.iloc[b]) for a, b in _drawn(data, seed)]


def _columnwise(
    data: EvalData,
    seed: int,
    whole: Columnwise | correlations.PairDifference,
    measure: Tablewise,
    *,
    details: Mapping[str, Any] | None = None,
    lowest: bool = True,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Score:
    extreme: dict[str, Any] = {"lowest" if lowest else "highest": _extreme(whole, lowest=lowest)}
    draws = _redrawn(data, seed, measure)
    return _score(data, whole.value, draws, details=extreme | dict(details or {}), bounds=bounds)


def _extreme(whole: Columnwise | correlations.PairDifference, *, lowest: bool) -> dict[str, float]:
    ranked = sorted(whole.parts.items(), key=lambda item: item[1], reverse=not lowest)
    return dict(ranked[:_WORST])


def _score(
    data: EvalData,
    value: float,
    draws: list[float],
    *,
    note: str = "",
    details: Mapping[str, Any] | None = None,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Score:
    n = min(len(set(v.samples.subject_ids)) for v in (data.holdout, data.synthetic))
    interval = centred_interval(value, draws, bounds)
    note = note or f"{data.synthetic.findings.shape[1]} columns"
    return Score(value, interval, n, note=note, details=details or {})
