"""Impossible rows: records that break what no real training record breaks.

Five kinds of rules are read off real training rows:

- *pair*: two levels (or bins of numbers, or missing cells) that never meet;
- *order*: one number that never exceeds another;
- *function*: a column whose value another column determines;
- *range*: numbers far beyond the recorded extremes;
- *resolution*: numbers finer than the recorded steps.

Pairs, orders and functions become rules only where chance cannot explain them: if the columns were
independent, the probability that the data suggest any false rule of a kind would be at most 5 %,
where a subject's rows count as one.
A rule may still be broken by a rare real patient: the rate of held-out real rows is the ceiling.
Few training rows give few and coarse rules; numbers are cut into as many bins as pairs of bins can
be told from chance (3 for 120 rows, 9 for 1,000).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
import numpy.typing as npt
import pandas as pd

from casemix.errors import EvaluationError
from casemix.evaluation.correlations import Levels
from casemix.evaluation.statistics import FloatArray, IntArray, as_subjects
from casemix.evaluation.tables import is_numeric, numbers

_FEWEST = 30  # training subjects
_FALSE_RULES = 0.05  # probability of any false rule of a kind
_PER_PAIR = 12  # rows expected in a pair of bins, if columns were independent
_MOST_BINS = 10
_ORDERED = 300  # subjects that keep an order: in fewer, one that 1 % break may seem to hold
_TAIL = 0.05  # what lies beyond this quantile of either side is the recorded tail
_MARGIN = 0.1  # of the recorded span, where the tail is shorter
_DISTINCT = 20  # values from which a column shows its resolution
_DECIMALS = 6  # finer numbers have no resolution to keep

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rule:
    """One thing that no training row does.

    Attributes:
        kind: pair, order, function, range or resolution.
        text: the rule in words.
        broken: which rows break it, (n,).
    """

    kind: str
    text: str
    broken: BoolArray


@dataclass(frozen=True)
class RowRules:
    """What never happens in real training rows.

    Attributes:
        levels: how cells become levels, for the pairs.
        pairs: (rules, 4) column and level of both sides.
        orders: (lower, upper) pairs of numeric columns.
        functions: (cause, effect) -> the effect's value for each known value of the cause.
        ranges: numeric column -> smallest and largest number that is not far out.
        steps: numeric column -> decimals that its numbers have at most.
    """

    levels: Levels
    pairs: IntArray
    orders: tuple[tuple[str, str], ...]
    functions: Mapping[tuple[str, str], Mapping[str, str]]
    ranges: Mapping[str, tuple[float, float]]
    steps: Mapping[str, int]

    def __len__(self) -> int:
        """Return how many rules there are."""
        of_columns = len(self.ranges) + len(self.steps)
        return len(self.pairs) + len(self.orders) + len(self.functions) + of_columns

    @classmethod
    def fit(cls, train: pd.DataFrame, *, subjects: npt.ArrayLike | None = None) -> RowRules:
        """Read the rules off real training rows.

        Args:
            train: (n, d).
            subjects: (n,) subject of each row; each its own if None.

        Raises:
            EvaluationError: fewer than 30 subjects.
        """
        people = len(np.unique(as_subjects(subjects, len(train))))
        if people < _FEWEST:
            raise EvaluationError(
                "Too few training subjects to learn what never happens.",
                given=f"{people} subjects",
                allowed=f"at least {_FEWEST}",
                next_step="Evaluate with a larger training cohort.",
            )
        train = train.set_axis(train.columns.astype(str), axis=1)
        values = {n: numbers(train[n]) for n in train.columns if is_numeric(train[n])}
        weight = people / len(train)  # of a row as evidence
        bins = int(np.clip(np.sqrt(people / _PER_PAIR), 2, _MOST_BINS))
        levels = Levels.fit(train, bins)
        return cls(
            levels,
            _never_together(levels.code(train), weight),
            _orders(values, weight),
            _functions(train, weight),
            {name: _wide_range(v) for name, v in values.items() if _varies(v)},
            {n: d for n, v in values.items() if (d := _decimals(v)) is not None},
        )

    def broken(self, frame: pd.DataFrame) -> BoolArray:
        """Return which rows break any rule, (n,)."""
        wrong = np.zeros(len(frame), dtype=bool)
        for rule in self.check(frame):
            wrong |= rule.broken
        return wrong

    def check(self, frame: pd.DataFrame) -> list[Rule]:
        """Return the rules that any row of the frame (n, d) breaks.

        Raises:
            EvaluationError: a column is missing.
        """
        frame = frame.set_axis(frame.columns.astype(str), axis=1)
        if missing := [name for name in self.levels.columns if name not in frame.columns]:
            raise EvaluationError("A column is missing.", given=missing)
        found = [*self._pairs(frame), *self._orders(frame), *self._functions(frame)]
        return [r for r in (*found, *self._numbers(frame)) if r.broken.any()]

    def _pairs(self, frame: pd.DataFrame) -> list[Rule]:
        codes = self.levels.code(frame)
        rules = []
        for i, a, j, b in self.pairs.tolist():
            text = f"{self._level(i, a)} never meets {self._level(j, b)}"
            rules.append(Rule("pair", text, (codes[:, i] == a) & (codes[:, j] == b)))
        return rules

    def _level(self, column: int, code: int) -> str:
        name, cuts = self.levels.columns[column], self.levels.cuts[column]
        if code == 0:
            return f"{name} missing"
        if cuts is None:
            known = self.levels.known[column]
            return f"{name} = {known[code - 1] if code <= len(known) else 'any rarer level'}"
        if code == 1:
            return f"{name} < {cuts[0]:g}"
        if code == len(cuts) + 1:
            return f"{name} >= {cuts[-1]:g}"
        return f"{cuts[code - 2]:g} <= {name} < {cuts[code - 1]:g}"

    def _orders(self, frame: pd.DataFrame) -> list[Rule]:
        rules = []
        for low, high in self.orders:
            broken: BoolArray = numbers(frame[low]) > numbers(frame[high])
            rules.append(Rule("order", f"{low} <= {high}", broken))
        return rules

    def _functions(self, frame: pd.DataFrame) -> list[Rule]:
        rules = []
        for (cause, effect), values in self.functions.items():
            wanted = _texts(frame[cause]).map(values)
            broken = wanted.notna() & (wanted != _texts(frame[effect]))
            rules.append(Rule("function", f"{cause} determines {effect}", broken.to_numpy()))
        return rules

    def _numbers(self, frame: pd.DataFrame) -> list[Rule]:
        rules = []
        for name, (low, high) in self.ranges.items():
            values = numbers(frame[name])
            text = f"{name} far beyond what is recorded"  # limits lie near a real patient's value
            rules.append(Rule("range", text, (values < low) | (values > high)))
        for name, decimals in self.steps.items():
            values = numbers(frame[name])
            text = f"{name} has at most {decimals} decimals"
            rules.append(Rule("resolution", text, ~np.isnan(values) & ~_fits(values, decimals)))
        return rules


def _least(candidates: int) -> float:
    """Return how many breaks chance must let expect, for none to be telling."""
    return float(np.log(max(candidates, 1) / _FALSE_RULES))


def _never_together(codes: IntArray, weight: float) -> IntArray:
    """Return column, level, column, level of pairs that never meet though chance expects it."""
    found, candidates = [], 0
    for i, j in combinations(range(codes.shape[1]), 2):
        joint = np.zeros((codes[:, i].max() + 1, codes[:, j].max() + 1))
        np.add.at(joint, (codes[:, i], codes[:, j]), 1.0)
        expected = np.outer(joint.sum(axis=1), joint.sum(axis=0)) / len(codes)
        candidates += int((expected > 0).sum())
        for a, b in np.argwhere((joint == 0) & (expected > 0)):
            found.append((expected[a, b], i, int(a), j, int(b)))
    kept = [rule[1:] for rule in found if weight * rule[0] >= _least(candidates)]
    return np.array(kept, dtype=np.int64).reshape(-1, 4)


def _orders(values: Mapping[str, FloatArray], weight: float) -> tuple[tuple[str, str], ...]:
    found = []
    pairs = list(permutations(values, 2))
    for low, high in pairs:
        a, b = values[low], values[high]
        both = ~np.isnan(a) & ~np.isnan(b)
        if weight * both.sum() < _ORDERED or (a[both] > b[both]).any():
            continue
        below = np.searchsorted(np.sort(b[both]), a[both], side="left")
        if weight * below.sum() / both.sum() >= _least(
            len(pairs)
        ):  # expected breaks if independent
            found.append((low, high))
    return tuple(found)


def _functions(train: pd.DataFrame, weight: float) -> dict[tuple[str, str], dict[str, str]]:
    texts = {name: _texts(train[name]) for name in train.columns}
    codes = {name: pd.factorize(column)[0] for name, column in texts.items()}
    pairs = list(permutations(train.columns, 2))
    found = {}
    for cause, effect in pairs:
        known = (codes[cause] >= 0) & (codes[effect] >= 0)
        if not known.any():
            continue
        joint = codes[cause][known].astype(np.int64) * len(train) + codes[effect][known]
        causes = len(np.unique(codes[cause][known]))
        if len(np.unique(joint)) > causes:
            continue
        likeliest = np.bincount(codes[effect][known]).max() / known.sum()
        if weight * (known.sum() - causes) * (1 - likeliest) < _least(len(pairs)):
            continue
        first = pd.DataFrame({"cause": texts[cause], "effect": texts[effect]})[known]
        found[cause, effect] = dict(first.drop_duplicates("cause").to_numpy().tolist())
    return found


def _texts(column: pd.Series) -> pd.Series:
    """Return cells as text, None where missing; equal numbers are equal texts."""
    cells = column.astype(float) if is_numeric(column) else column
    texts: pd.Series = cells.astype(str)
    return texts.mask(column.isna(), None)


def _varies(values: FloatArray) -> bool:
    return len(np.unique(values[~np.isnan(values)])) > 1


def _wide_range(values: FloatArray) -> tuple[float, float]:
    """Return the recorded extremes, with tails of twice their recorded length."""
    low, tail, top, high = np.nanquantile(values, (0.0, _TAIL, 1 - _TAIL, 1.0))
    least = _MARGIN * (high - low)
    return float(low - max(tail - low, least)), float(high + max(high - top, least))


def _decimals(values: FloatArray) -> int | None:
    """Return the fewest decimals that all numbers keep to, or None."""
    observed = values[~np.isnan(values)]
    if len(np.unique(observed)) < _DISTINCT:
        return None
    fitting = (d for d in range(_DECIMALS + 1) if _fits(observed, d).all())
    return next(fitting, None)


def _fits(values: FloatArray, decimals: int) -> BoolArray:
    scaled = values * 10.0**decimals
    fits: BoolArray = np.abs(scaled - np.round(scaled)) <= 1e-6 * np.maximum(1.0, np.abs(scaled))
    return fits
