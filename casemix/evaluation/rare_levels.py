"""Rare levels: does the synthetic table keep them, and does it give away whose they are?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import (
    Estimate,
    as_subjects,
    bootstrap_rows,
    percentile_interval,
)
from casemix.evaluation.tables import aligned, is_numeric

_BANDS = {"1-5 %": (0.01, 0.05), "below 1 %": (0.0, 0.01)}
_FEWEST = 10  # values of a single subject on either side
_JOIN = "\0"


@dataclass(frozen=True)
class RareLevels:
    """The rare levels, and pairs of levels of two columns, of a real table.

    Attributes:
        items: (columns, level) of each; the levels of a pair are joined.
        bands: (items,) what each is, e.g. ``levels, 1-5 %``.
    """

    items: tuple[tuple[tuple[str, ...], str], ...]
    bands: tuple[str, ...]

    @classmethod
    def fit(cls, real: pd.DataFrame) -> RareLevels:
        """Find what less than 5 % of the real rows (n, d) have; numeric columns have no levels.

        Raises:
            EvaluationError: nothing is rare.
        """
        levels = _cells(real)
        columns = [(name,) for name in levels] + list(combinations(levels, 2))
        items, bands = [], []
        for names in columns:
            shares = _joined(levels, names).value_counts().sort_index() / len(real)
            for band, (low, high) in _BANDS.items():
                rare = shares.index[(shares >= low) & (shares < high)]
                items += [(names, level) for level in rare]
                bands += [f"{'levels' if len(names) == 1 else 'pairs'}, {band}"] * len(rare)
        if not items:
            raise EvaluationError(
                "No level and no pair of levels is rare.",
                given=list(levels) or "no column with levels",
                allowed="a level that less than 5 % of the real rows have",
            )
        return cls(tuple(items), tuple(bands))

    def held(self, rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Return which row has which of them, (n, items).

        Raises:
            EvaluationError: a column is missing.
        """
        levels = _cells(rows)
        held = np.zeros((len(rows), len(self.items)), dtype=bool)
        by_columns: dict[tuple[str, ...], dict[str, int]] = {}
        for k, (names, level) in enumerate(self.items):
            by_columns.setdefault(names, {})[level] = k
        for names, places in by_columns.items():
            if missing := [name for name in names if name not in levels]:
                raise EvaluationError("A column is missing.", given=missing)
            place = _joined(levels, names).map(places)
            there = place.notna().to_numpy()
            held[np.flatnonzero(there), place[there].to_numpy(dtype=np.int64)] = True
        return held


@dataclass(frozen=True)
class RareCoverage:
    """How much of what is rare the synthetic table holds.

    Attributes:
        value: share of the rare levels and pairs of levels that occur in it, in [0, 1].
        parts: the same by band, e.g. ``levels, 1-5 %``.
        counts: how many rare ones there are, by band.
    """

    value: float
    parts: Mapping[str, float]
    counts: Mapping[str, int]


def rare_level_coverage(real: pd.DataFrame, synthetic: pd.DataFrame) -> RareCoverage:
    """Return how many rare levels, and pairs of levels of two columns, the synthetic table has.

    A real table of the same size does not have them all either: read it beside its ceiling.

    Raises:
        EvaluationError: the frames' columns differ, one has no rows, or nothing is rare.
    """
    rare = RareLevels.fit(real)
    covered = pd.Series(rare.held(aligned(real, synthetic)).any(axis=0))
    by_band = covered.groupby(list(rare.bands))
    parts = {str(band): float(share) for band, share in by_band.mean().items()}
    counts = {str(band): int(count) for band, count in by_band.size().items()}
    return RareCoverage(float(covered.mean()), parts, counts)


@dataclass(frozen=True)
class RareValueExcess(Estimate):
    """How much more often synthetic records hold the rare values of members than of others.

    Attributes:
        members: share of the members' singular values that occur in the synthetic table.
        others: the same of those who took no part.
    """

    members: float
    others: float


def rare_value_excess(
    members: pd.DataFrame,
    others: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    subjects_members: np.ndarray,
    subjects_others: np.ndarray,
    seed: int,
) -> RareValueExcess:
    """Return the excess, in [-1, 1], of members' singular values in the synthetic table.

    A value is singular where one subject alone has it: an exact number, a level, or a pair of
    levels. Where the synthetic table holds more of the members' than of the others' it copies what
    singles members out; 0 is ideal. Both groups must have equally many subjects, since a value is
    the less singular the more people are asked.

    Args:
        members: rows of training subjects, (n, d).
        others: rows of held-out subjects, (m, d).
        synthetic: the table under test.
        subjects_members: (n,) subject of each row.
        subjects_others: (m,) the same.
        seed: seed of the bootstrap over subjects.

    Raises:
        EvaluationError: other columns, or fewer than 10 singular values in a group.
    """
    released = _values(aligned(members, synthetic))
    known = {name: set(column.dropna()) for name, column in released.items()}
    groups = []
    for rows, subjects in ((members, subjects_members), (others, subjects_others)):
        owners, found = _singular(_values(aligned(members, rows)), subjects, known)
        if len(found) < _FEWEST:
            raise EvaluationError(
                "Too few values are singular to see whether they are given away.",
                given=f"{len(found)} values that one subject alone has",
                allowed=f"at least {_FEWEST}",
            )
        groups.append((owners, found))
    draws = [
        [found[rows].mean() for rows in bootstrap_rows(owners, seed=seed + k)]
        for k, (owners, found) in enumerate(groups)
    ]
    inside, outside = (float(found.mean()) for _, found in groups)
    interval = percentile_interval(np.subtract(*map(np.array, draws)))
    n = min(len(np.unique(owners)) for owners, _ in groups)
    return RareValueExcess(inside - outside, interval, n, inside, outside)


def _cells(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the levelled columns as text, None where missing."""
    return {
        str(name): frame[name].astype(str).mask(frame[name].isna(), None)
        for name in frame.columns
        if not is_numeric(frame[name])
    }


def _joined(levels: Mapping[str, pd.Series], names: tuple[str, ...]) -> pd.Series:
    first, *others = (levels[name] for name in names)
    for other in others:
        first = first + _JOIN + other
    return first


def _values(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the cells of each column, and the pairs of each two levelled ones."""
    levels = _cells(frame)
    pairs = {_JOIN.join(p): _joined(levels, p) for p in combinations(levels, 2)}
    numeric = {str(n): frame[n] for n in frame.columns if is_numeric(frame[n])}
    return {**numeric, **levels, **pairs}


def _singular(
    values: Mapping[str, pd.Series], subjects: np.ndarray, known: Mapping[str, set[object]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the owner of each singular value (s,), and whether it is known, (s,)."""
    codes = as_subjects(subjects, len(subjects))
    owners, found = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    for name, column in values.items():
        held = pd.DataFrame({"value": column.to_numpy(), "owner": codes}).dropna()
        by_value = held.drop_duplicates().groupby("value")["owner"].agg(["size", "first"])
        alone = by_value[by_value["size"] == 1]
        owners.append(alone["first"].to_numpy(dtype=np.int64))
        found.append(alone.index.isin(known[name]).astype(np.float64))
    return np.concatenate(owners), np.concatenate(found)
