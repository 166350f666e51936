"""How many patients contradict themselves across modalities, and who they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from scipy.stats import binomtest

from casemix.core.cohort import Cohort
from casemix.core.fields import LEVELLED, Kind
from casemix.core.metric import View
from casemix.evaluation.agreement import (
    Fixed,
    Line,
    Shown,
    learn_fixed,
    learn_lines,
    learn_shown,
)

CONTEXT = "context"
_ARMS = ("holdout", "synthetic")
_WORST = 12  # patients that are named


@dataclass(frozen=True)
class _Arm:
    """One cohort per subject.

    Args:
        findings: numeric findings by view, with gaps.
        features: embeddings by view, without gaps.
        levels: what is recorded (``context``) or stated by a view in words.
    """

    findings: Mapping[str, pd.DataFrame]
    features: Mapping[str, pd.DataFrame]
    levels: Mapping[str, pd.DataFrame]


def judge_contradictions(
    views: Mapping[str, Mapping[str, View]], cohorts: Mapping[str, Cohort], *, seed: int
) -> dict[str, Any]:
    """Return the learnt agreements with the share of patients who break each, and the worst ones.

    Args:
        views: modality -> arm (``train``, ``holdout``, ``synthetic``) -> its records.
        cohorts: arm -> cohort.
        seed: seed of folds.

    Returns:
        ``agreements`` (words, views, strength, and per arm rate, interval and n), ``patients``
        (per arm the share that break any, of those who could) and ``worst`` (synthetic subject ids
        with what they break, most first).
    """
    arms = {arm: _arm(views, cohorts, arm) for arm in ("train", *_ARMS)}
    train = arms["train"]
    schema = cohorts["train"].schema
    levelled = [f.name for f in schema if f.kind in LEVELLED]
    lines = learn_lines(train.findings)
    shown = learn_shown(train.features, train.levels[CONTEXT], levelled, seed=seed % 2**31)
    fixed: list[Fixed] = []
    for view, stated in train.levels.items():
        if view != CONTEXT:
            fixed += learn_fixed(view, stated)
            others = {v: table for v, table in train.features.items() if v != view}
            names = list(stated.columns)
            shown += learn_shown(others, stated, names, source=view, seed=seed % 2**31)
    checks: list[tuple[Line | Shown | Fixed, Callable[[_Arm], pd.Series]]] = [
        *((line, lambda arm, line=line: line.broken(arm.findings)) for line in lines),
        *((s, lambda arm, s=s: _not_shown(s, arm)) for s in shown),
        *((f, lambda arm, f=f: f.broken(arm.levels[f.view][f.statement])) for f in fixed),
    ]
    agreements = []
    broken_by: dict[str, dict[str, list[str]]] = {arm: defaultdict(list) for arm in _ARMS}
    checked: dict[str, set[str]] = {arm: set() for arm in _ARMS}
    for rule, check in checks:
        entry = _about(rule)
        for arm in _ARMS:
            broken = check(arms[arm])
            entry[arm] = _share(int(broken.sum()), len(broken))
            checked[arm].update(map(str, broken.index))
            for subject in broken.index[broken.to_numpy(dtype=bool)]:
                broken_by[arm][str(subject)].append(rule.words)
        agreements.append(entry)
    ranked = sorted(broken_by["synthetic"].items(), key=lambda item: (-len(item[1]), item[0]))
    return {
        "agreements": agreements,
        "patients": {
            arm: _share(len(broken_by[arm]), len(checked[arm])) for arm in _ARMS if agreements
        },
        "worst": [{"subject_id": s, "breaks": words} for s, words in ranked[:_WORST]],
    }


def _not_shown(shown: Shown, arm: _Arm) -> pd.Series:
    return shown.broken(arm.features[shown.view], arm.levels[shown.source][shown.field])


def _arm(views: Mapping[str, Mapping[str, View]], cohorts: Mapping[str, Cohort], arm: str) -> _Arm:
    cohort = cohorts[arm]
    numeric = [f.name for f in cohort.schema if f.kind is Kind.NUMERIC]
    findings = {CONTEXT: cohort.subjects[numeric].astype(float)}
    features = {}
    levels = {CONTEXT: cohort.subjects}
    for modality, of_arm in views.items():
        view = of_arm[arm]
        subjects = view.samples.subject_ids
        names = _varied(of_arm["train"])
        findings[modality] = view.findings[names].astype(float).groupby(subjects).mean()
        vectors = pd.DataFrame(view.embedding.astype(float), view.findings.index)
        features[modality] = vectors.groupby(subjects).mean()
        if view.statements is not None and len(view.statements.columns):
            levels[modality] = view.statements.groupby(subjects).first()
    return _Arm(findings, features, levels)


def _varied(train: View) -> list[str]:
    numeric = train.findings.select_dtypes("number")
    return [str(c) for c in numeric if numeric[c].notna().sum() > 1 and numeric[c].std() > 0]


def _about(rule: Line | Shown | Fixed) -> dict[str, Any]:
    if isinstance(rule, Line):
        between = [rule.a[0], rule.b[0]]
        return {"words": rule.words, "between": between, "strength": abs(rule.correlation)}
    if isinstance(rule, Fixed):
        return {"words": rule.words, "between": [rule.view], "strength": rule.share}
    return {"words": rule.words, "between": [rule.source, rule.view], "strength": rule.auc}


def _share(broken: int, n: int) -> dict[str, Any]:
    if n == 0:
        return {"rate": None, "interval": None, "n": 0}
    ends = binomtest(broken, n).proportion_ci(method="wilson")
    return {"rate": broken / n, "interval": [float(ends.low), float(ends.high)], "n": n}
