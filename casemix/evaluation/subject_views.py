"""Subjects as matrices: what each modality shows of them, and their recorded context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from casemix.core.cohort import Cohort
from casemix.core.conditions import Conditions
from casemix.core.encoding import ConditionEncoder
from casemix.core.fields import LEVELLED
from casemix.core.metric import View
from casemix.evaluation.linkage import Pairs

CONTEXT = "context"  # the name of the recorded context among the views


@dataclass(frozen=True)
class SubjectViews:
    """One cohort's subjects as matrices.

    Args:
        views: modality -> its rows, one per subject; `CONTEXT` -> the context.
        context: the recorded context as numbers, one row per subject.
        groups: each subject's level of the target field, where that is levelled.
    """

    views: Mapping[str, pd.DataFrame]
    context: pd.DataFrame
    groups: pd.Series | None

    def pairs(self, a: str, b: str) -> Pairs:
        """Return the subjects that have both views."""
        both = self.views[a].index.intersection(self.views[b].index, sort=True)
        return Pairs(
            self.views[a].loc[both].to_numpy(),
            self.views[b].loc[both].to_numpy(),
            self.context.loc[both].to_numpy(),
            None if self.groups is None else self.groups.loc[both].to_numpy(),
        )


def subject_views(
    views: Mapping[str, Mapping[str, View]], cohorts: Mapping[str, Cohort], target: str
) -> dict[str, SubjectViews]:
    """Return each arm's subjects as matrices with the same columns in all arms.

    Args:
        views: modality -> arm -> its records.
        cohorts: arm -> cohort; ``train`` says which columns there are.
        target: context field whose levels are the groups; none if it is not levelled.
    """
    train = cohorts["train"]
    encoder = ConditionEncoder.fit(train.subject_conditions())
    grouped = target in train.schema and train.schema[target].kind in LEVELLED
    arms = {}
    columns = {m: _usable_columns(v["train"]) for m, v in views.items()}
    for arm, cohort in cohorts.items():
        context = _context(encoder, cohort)
        per_view = {m: _per_subject(v[arm], columns[m], v["train"]) for m, v in views.items()}
        groups = cohort.subjects[target].astype(str) if grouped else None
        arms[arm] = SubjectViews({CONTEXT: context, **per_view}, context, groups)
    varied = arms["train"].context.std() > 0
    return {arm: _without_constants(s, varied) for arm, s in arms.items()}


def _without_constants(subjects: SubjectViews, varied: pd.Series) -> SubjectViews:
    context = subjects.context.loc[:, varied]
    return replace(subjects, context=context, views={**subjects.views, CONTEXT: context})


def _context(encoder: ConditionEncoder, cohort: Cohort) -> pd.DataFrame:
    given: Conditions = cohort.subject_conditions().pick(encoder.schema.names)
    values, known = encoder.encode(given)
    return pd.DataFrame(np.concatenate([values, known], axis=1), cohort.subjects.index).astype(
        float
    )


def _usable_columns(train: View) -> list[str]:
    """Return the numeric findings that vary and that most training records have."""
    numeric = train.findings.select_dtypes("number")
    return [str(c) for c in numeric if numeric[c].notna().mean() > 0.5 and numeric[c].std() > 0]


def _per_subject(view: View, columns: list[str], train: View) -> pd.DataFrame:
    """Return embedding and numeric findings, averaged per subject; gaps get the training median."""
    names = [f"embedding.{k}" for k in range(view.embedding.shape[1])]
    vectors = pd.DataFrame(view.embedding.astype(float), view.findings.index, names)
    findings = view.findings[columns].fillna(train.findings[columns].median())
    whole = pd.concat([vectors, findings], axis=1)
    return whole.groupby(view.samples.subject_ids, sort=True).mean()
