"""Fairness: any metric by subgroup, and how far apart the subgroups are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from casemix.core.fields import LEVELLED, Field, Kind, Schema
from casemix.core.metric import Goal
from casemix.errors import EvaluationError
from casemix.evaluation.statistics import (
    FloatArray,
    IntArray,
    as_subjects,
    bootstrap_rows,
    percentile_interval,
)

FEWEST = 20  # subjects of a group that is reported
_AGE_CUTS = (40.0, 60.0, 75.0)  # years
_TERTILES = (1 / 3, 2 / 3)


class Measured(Protocol):
    """A metric of some rows with its bootstrap draws, such as `casemix.evaluation.utility.Utility`.

    Attributes:
        value: the metric; None or NaN where it is undefined.
        draws: the metric of each bootstrap sample of these rows, (repeats,).
    """

    @property
    def value(self) -> float | None:
        """The metric."""

    @property
    def draws(self) -> tuple[float, ...]:
        """The metric of each bootstrap sample."""


@dataclass(frozen=True)
class Resampled:
    """A value with its bootstrap draws; what `resampled` makes of a plain function."""

    value: float | None
    draws: tuple[float, ...] = ()


@dataclass(frozen=True)
class Group:
    """The metric of one subgroup.

    Attributes:
        value: None where it is suppressed or undefined.
        interval: 95 %, subjects of the group resampled; None with the value.
        n: subjects of the group; None where it is suppressed: a small cell says little and may
            identify its members.
        suppressed: whether the group has too few subjects to report.
    """

    value: float | None
    interval: tuple[float, float] | None
    n: int | None
    suppressed: bool = False


@dataclass(frozen=True)
class Disparity:
    """How far apart the reported groups are.

    Attributes:
        value: largest minus smallest value.
        interval: 95 %, subjects of each group resampled. It lies above 0 even where all groups are
            alike, since a range of noisy values is never 0: judge by `p_value`.
        chance: the mean range that the groups' noise alone would give.
        p_value: how probable a range as large as this is where all groups are alike.
        worst: the group that fares worst, or ``""`` where the metric has no good direction.
    """

    value: float
    interval: tuple[float, float]
    chance: float
    p_value: float
    worst: str


@dataclass(frozen=True)
class BySubgroup:
    """A metric by subgroup.

    Attributes:
        groups: group label -> its metric, in the order of the labels.
        disparity: None with fewer than two reported groups in which the metric is defined.
    """

    groups: Mapping[str, Group]
    disparity: Disparity | None

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready content."""
        groups = {name: _plain(vars(group)) for name, group in self.groups.items()}
        apart = None if self.disparity is None else _plain(vars(self.disparity))
        return {"groups": groups, "disparity": apart}


def _plain(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes as JSON knows them: lists for intervals, null for undefined numbers."""

    def plain(value: Any) -> Any:
        if isinstance(value, tuple):
            return list(value) if np.isfinite(value).all() else None
        return None if isinstance(value, float) and not np.isfinite(value) else value

    return {name: plain(value) for name, value in found.items()}


def by_subgroup(
    metric: Callable[[IntArray], Measured],
    groups: npt.ArrayLike,
    *,
    goal: Goal,
    subjects: npt.ArrayLike | None = None,
    minimum: int = FEWEST,
) -> BySubgroup:
    """Return a metric for each subgroup of the records, and the disparity of the subgroups.

    Args:
        metric: takes row numbers and returns the metric of those rows with its draws: a function
            that calls `casemix.evaluation.utility.tstr` on these test rows, or `resampled`. It is
            called once per reported group.
        groups: (n,) group label of each row; missing labels form no group.
        goal: which direction is good.
        subjects: (n,) subject of each row; each its own if None.
        minimum: fewest subjects of a group that is reported.

    Raises:
        EvaluationError: no rows, or all labels missing.
    """
    labels = pd.Series(np.asarray(groups, dtype=object))
    present = labels.dropna().astype(str)
    if present.empty:
        raise EvaluationError(
            "No record has a group label.", given=f"{len(labels)} rows", allowed="at least one"
        )
    owner = as_subjects(subjects, len(labels))
    found: dict[str, Group] = {}
    draws: dict[str, FloatArray] = {}
    for name, rows in ((str(k), part.index.to_numpy()) for k, part in present.groupby(present)):
        n = len(np.unique(owner[rows]))
        if n < minimum:
            found[name] = Group(None, None, None, suppressed=True)
            continue
        measured = metric(rows)
        if measured.value is None or not np.isfinite(measured.value):
            found[name] = Group(None, None, n)
            continue
        draws[name] = np.asarray(measured.draws, dtype=np.float64)
        found[name] = Group(float(measured.value), percentile_interval(draws[name]), n)
    return BySubgroup(found, _disparity(found, draws, goal))


def resampled(
    statistic: Callable[[IntArray], float],
    subjects: npt.ArrayLike,
    *,
    seed: int,
    repeats: int = 200,
) -> Callable[[IntArray], Resampled]:
    """Return a metric for `by_subgroup` from a plain function of rows.

    Args:
        statistic: takes row numbers (with repeats) and returns the statistic of those rows. Give it
            precomputed predictions or distances: it is called once per bootstrap sample.
        subjects: (n,) subject of each row.
        seed: seed of the resampling.
        repeats: number of bootstrap samples.
    """
    owner = as_subjects(subjects, len(np.asarray(subjects)))

    def metric(rows: IntArray) -> Resampled:
        samples = bootstrap_rows(owner[rows], seed=seed, repeats=repeats)
        return Resampled(
            float(statistic(rows)), tuple(float(statistic(rows[chosen])) for chosen in samples)
        )

    return metric


def subgroups(
    context: pd.DataFrame, schema: Schema, reference: pd.DataFrame
) -> dict[str, npt.NDArray[np.object_]]:
    """Return the subgroups that each field makes: field -> (n,) labels, None = not recorded.

    Levelled fields make one group per level. Numbers in years are cut at 40, 60 and 75 where that
    parts the reference, and others at the tertiles of the reference, rounded to three digits.
    Fields of codes, and numbers that do not vary, make none.

    Args:
        context: (n, c) the recorded context of each row.
        schema: its fields.
        reference: the training subjects' context: cuts must not depend on what is judged.
    """
    found = {}
    for f in schema:
        if f.kind in LEVELLED:
            column = context[f.name]
            found[f.name] = _object([None if pd.isna(level) else level for level in column])
        elif f.kind is Kind.NUMERIC and len(cuts := _cuts(f, reference[f.name])):
            found[f.name] = _banded(f, context[f.name].to_numpy(dtype=np.float64), cuts)
    return found


def _disparity(
    groups: Mapping[str, Group], draws: Mapping[str, FloatArray], goal: Goal
) -> Disparity | None:
    values = {name: g.value for name, g in groups.items() if g.value is not None}
    if len(values) < 2:
        return None
    level = np.array(list(values.values()))
    repeats = min(len(draws[name]) for name in values)
    drawn = np.stack([draws[name][:repeats] for name in values], axis=1)  # (repeats, groups)
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    nan = float("nan")
    apart = float(np.ptp(level))
    interval, chance, p_value = (nan, nan), nan, nan
    if 2 * len(drawn) >= repeats > 0:
        interval = percentile_interval(np.ptp(drawn, axis=1))
        null = np.ptp(drawn - drawn.mean(axis=0), axis=1)  # the same noise around one value
        chance = float(null.mean())
        p_value = float((1 + np.count_nonzero(null >= apart)) / (1 + len(null)))
    worst = {Goal.MAXIMISE: min, Goal.MINIMISE: max}.get(goal)
    name = "" if worst is None else worst(values, key=lambda k: values[k])
    return Disparity(apart, interval, chance, p_value, name)


def _cuts(f: Field, reference: pd.Series) -> FloatArray:
    """Return where a numeric field is cut into groups; nothing for one that does not vary."""
    known = reference.dropna().to_numpy(dtype=np.float64)
    if len(known) == 0:
        return np.zeros(0)
    years = np.array(_AGE_CUTS)
    if f.unit == "a" and len(np.unique(np.searchsorted(years, known, side="right"))) > 1:
        return years
    cuts = np.unique([float(f"{q:.3g}") for q in np.quantile(known, _TERTILES)])
    return cuts[(cuts > known.min()) & (cuts <= known.max())]


def _banded(f: Field, values: FloatArray, cuts: FloatArray) -> npt.NDArray[np.object_]:
    """Return the band of each value, (n,); a value on a cut belongs to the band above it."""
    edges = [f"{cut:g}" for cut in cuts]
    whole = f.unit == "a" and np.array_equal(cuts, _AGE_CUTS)  # completed years
    inner = [
        f"{low:g} to {high - 1:g}" if whole else f"{low:g} to below {high:g}"
        for low, high in pairwise(cuts)
    ]
    names = [f"below {edges[0]}", *inner, f"{edges[-1]} or more"]
    labels = [f"{name} {f.unit}".strip() for name in names]
    bands = np.searchsorted(cuts, values, side="right")  # NaN sorts last
    known = ~np.isnan(values)
    return _object([labels[b] if k else None for b, k in zip(bands, known, strict=True)])


def _object(cells: list[str | None]) -> npt.NDArray[np.object_]:
    return np.array(cells, dtype=object)
