"""Clinical constraints: how often records break stated rules, real against synthetic.

Rules are stated, not learnt: limits with units, orders, codes of one sex or age, nothing after
death (`casemix.evaluation.rules`). A rule that cannot be checked on a cohort is *not applicable*,
with the reason, and never counts as satisfied.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from casemix.core import seeding
from casemix.core.cohort import Cohort
from casemix.errors import CasemixError, EvaluationError
from casemix.evaluation.rules.check import Judged, absent, names_of
from casemix.evaluation.rules.language import Rule
from casemix.evaluation.rules.rows import Findings, Rows, rows_of
from casemix.evaluation.statistics import (
    FloatArray,
    as_subjects,
    bootstrap_weights,
    percentile_interval,
)

_EXAMPLES = 5
_REPEATS = 200  # bootstrap samples
_TAIL = 0.025  # of a 95 % interval, on each side


@dataclass(frozen=True)
class Outcome:
    """How often the records of one modality break one rule.

    Attributes:
        rule: the rule's name.
        modality: whose records.
        eligible: rows on which the rule could be checked: records, or recorded times of a series.
        violating: how many of them break it.
        subjects: subjects with an eligible row.
        violating_subjects: how many of them have a violating row.
        rate: violating / eligible; None where nothing could be checked.
        interval: 95 %, subjects resampled. Where no row or every row breaks the rule, resampling
            shows no variation, and the interval is the exact binomial one over subjects.
        examples: up to five sample ids (subject ids in the context) with a violation.
        note: why the rule is not applicable, or ``""``.
    """

    rule: str
    modality: str
    eligible: int = 0
    violating: int = 0
    subjects: int = 0
    violating_subjects: int = 0
    rate: float | None = None
    interval: tuple[float, float] | None = None
    examples: tuple[str, ...] = ()
    note: str = ""

    @property
    def applicable(self) -> bool:
        """Whether there was anything to check."""
        return self.rate is not None

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready content."""
        return asdict(self) | {
            "interval": None if self.interval is None else list(self.interval),
            "examples": list(self.examples),
            "applicable": self.applicable,
        }


@dataclass(frozen=True)
class Comparison:
    """One rule on real and on synthetic records.

    Attributes:
        real: the outcome on real records.
        synthetic: the outcome on synthetic records.
        difference: synthetic minus real rate; above 0 the synthetic records break the rule more
            often. None where the rule is not applicable to either.
        interval: 95 % interval of the difference of two independent cohorts.
    """

    real: Outcome
    synthetic: Outcome
    difference: float | None
    interval: tuple[float, float] | None

    @property
    def worse(self) -> bool:
        """Whether synthetic records break the rule more often than chance explains."""
        return self.interval is not None and self.interval[0] > 0

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready content."""
        return {
            "rule": self.real.rule,
            "modality": self.real.modality,
            "real": self.real.to_json(),
            "synthetic": self.synthetic.to_json(),
            "difference": self.difference,
            "interval": None if self.interval is None else list(self.interval),
            "worse": self.worse,
        }


def check(
    cohort: Cohort, rules: Sequence[Rule], *, findings: Findings | None = None, seed: int
) -> tuple[Outcome, ...]:
    """Return how often a cohort breaks each rule, once per modality that the rule names.

    Args:
        cohort: real or synthetic.
        rules: from `casemix.evaluation.rules.language.load_rules`.
        findings: modality -> (frame indexed by sample id, fields), for rules about findings.
        seed: seed of the bootstrap; same cohort, rules and seed, same intervals.

    Raises:
        EvaluationError: a field in a unit that one of the user's rules has no limits for.
        ConditionError: one of the user's filters that does not fit a field's kind or levels.
    """
    rows = rows_of(cohort, findings)
    return tuple(
        _outcome(rule, modality, rows, seed) for rule in rules for modality in rule.modality
    )


def compare(real: Sequence[Outcome], synthetic: Sequence[Outcome]) -> tuple[Comparison, ...]:
    """Return the difference of the two cohorts' rates, rule by rule.

    Raises:
        EvaluationError: the cohorts were not checked against the same rules.

    Reference:
        Zou GY, Donner A. Construction of confidence limits about effect measures. Stat Med 2008;
        27:1693 (the interval of a difference from the intervals of both sides).
    """
    named = [[(o.rule, o.modality) for o in side] for side in (real, synthetic)]
    if named[0] != named[1]:
        unpaired = sorted(set(named[0]) ^ set(named[1]))
        raise EvaluationError(
            "The cohorts were checked against different rules.",
            given=[f"{rule} ({modality})" for rule, modality in unpaired] or "another order",
            next_step="Check both against the same list of rules.",
        )
    return tuple(_compared(a, b) for a, b in zip(real, synthetic, strict=True))


def _outcome(rule: Rule, modality: str, rows: Mapping[str, Rows], seed: int) -> Outcome:
    if modality not in rows:
        return Outcome(rule.name, modality, note=f"no {modality} records")
    records = rows[modality]
    unfit = rule.check.unfit(records) or absent(records, names_of(rule.when), elsewhere=True)
    if unfit:
        return Outcome(rule.name, modality, note=unfit)
    try:
        judged = rule.check.judge(records, rule.when)
    except CasemixError as error:
        if rule.shipped:
            return Outcome(rule.name, modality, note=f"{error.what} ({error.given})")
        raise type(error)(
            f"Rule '{rule.name}' ({modality}): {error.what}",
            given=error.given,
            allowed=error.allowed,
            next_step=error.next_step,
        ) from error
    return _counted(rule.name, records, judged, seeding.child(seed, rule.name, modality) % 2**31)


def _counted(rule: str, rows: Rows, judged: Judged, seed: int) -> Outcome:
    broken = judged.eligible & judged.broken
    eligible, violating = int(judged.eligible.sum()), int(broken.sum())
    if eligible == 0:
        return Outcome(rule, rows.modality, note="no record that it speaks about")
    owner = as_subjects(rows.subjects, len(rows.index))[judged.record]
    checked = np.bincount(owner, judged.eligible).astype(np.float64)
    wrong = np.bincount(owner, broken).astype(np.float64)[checked > 0]
    found = np.unique(judged.record[broken])[:_EXAMPLES]
    return Outcome(
        rule,
        rows.modality,
        eligible=eligible,
        violating=violating,
        subjects=len(wrong),
        violating_subjects=int(np.count_nonzero(wrong)),
        rate=violating / eligible,
        interval=_interval(checked[checked > 0], wrong, seed),
        examples=tuple(str(i) for i in rows.index.index[found]),
    )


def _interval(checked: FloatArray, wrong: FloatArray, seed: int) -> tuple[float, float]:
    """Return the interval of a ratio of sums over subjects, both (s,)."""
    n, total = len(checked), wrong.sum()
    exact = 1.0 - _TAIL ** (1.0 / n)  # Clopper-Pearson bound of 0 among n
    if total == 0:
        return (0.0, exact)
    if total == checked.sum():
        return (1.0 - exact, 1.0)
    weights = bootstrap_weights(n, seed=seed, repeats=_REPEATS)  # (repeats, s)
    return percentile_interval((weights @ wrong) / (weights @ checked))


def _compared(real: Outcome, synthetic: Outcome) -> Comparison:
    if real.rate is None or synthetic.rate is None:
        return Comparison(real, synthetic, None, None)
    difference = synthetic.rate - real.rate
    below, above = _margins(real, real.rate, synthetic), _margins(synthetic, synthetic.rate, real)
    low = math.hypot(above[0], below[1])
    high = math.hypot(above[1], below[0])
    return Comparison(real, synthetic, difference, (difference - low, difference + high))


def _margins(one: Outcome, rate: float, other: Outcome) -> tuple[float, float]:
    """Return how far the true rate may lie below and above an outcome's.

    The exact bound of a rule that nobody breaks allows for subjects who break it in all of their
    rows. Where the other cohort shows in how many rows a subject breaks it, that number is used.
    """
    assert one.interval is not None
    low, high = one.interval
    if one.violating == 0 and other.violating > 0:
        rows = other.violating / other.violating_subjects
        high = min(high, high * rows * one.subjects / one.eligible)
    return rate - low, high - rate
