"""Rules about numbers and their order, and rules in the words of a row filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from casemix.errors import EvaluationError, MappingError
from casemix.evaluation.rules.check import (
    Check,
    Judged,
    absent,
    holds,
    names_of,
    not_numbers,
    numbers,
    plain_unit,
    unit_of,
)
from casemix.evaluation.rules.formula import check_arithmetic, check_filter, compute, names_in
from casemix.evaluation.rules.rows import CONTEXT, Rows

#: Hours in each UCUM unit of time; a year is Julian, a month its twelfth.
HOURS = {"s": 1 / 3600, "min": 1 / 60, "h": 1.0, "d": 24.0, "wk": 168.0, "mo": 730.5, "a": 8766.0}


@dataclass(frozen=True)
class Range(Check):
    """A number lies within limits.

    Args:
        field: the field.
        limits: UCUM unit -> (lowest, highest), both allowed; ``.inf`` for an open end.
    """

    field: str
    limits: Mapping[str, tuple[float, float]]

    def __post_init__(self) -> None:
        for unit, (low, high) in self.limits.items():
            if not low <= high:
                raise MappingError(f"The limits in '{unit}' are empty.", given=[low, high])

    def unfit(self, rows: Rows) -> str:
        """Return why the rule does not apply to these records, or ``""``."""
        return not_numbers(rows, [self.field])

    def judge(self, rows: Rows, when: str) -> Judged:
        """Judge each recorded value."""
        limits = {plain_unit(unit): bounds for unit, bounds in self.limits.items()}
        low, high = limits[unit_of(rows, self.field, self.limits)]
        chosen = rows.select([self.field, *names_of(when)])
        values = numbers(chosen.frame, self.field)
        eligible = ~np.isnan(values) & holds(when, chosen, rows)
        return Judged(eligible, (values < low) | (values > high), chosen.record)


@dataclass(frozen=True)
class Expression(Check):
    """A row filter holds, in the language of `casemix.core.expressions`.

    Args:
        holds: the filter; rows that lack one of its fields are not judged.
    """

    holds: str

    def __post_init__(self) -> None:
        check_filter(self.holds)

    def unfit(self, rows: Rows) -> str:
        """Return why the rule does not apply to these records, or ``""``."""
        return absent(rows, names_in(self.holds))

    def judge(self, rows: Rows, when: str) -> Judged:
        """Judge each row that records all fields of the filter."""
        names = names_in(self.holds)
        chosen = rows.select([*names, *names_of(when)])
        known = chosen.frame[list(names)].notna().all(axis=1).to_numpy()
        kept = holds(self.holds, chosen, rows)
        return Judged(known & holds(when, chosen, rows), ~kept, chosen.record)


@dataclass(frozen=True)
class Order(Check):
    """One number is never below another of the same unit.

    Args:
        upper: the field that is the larger (or later) one.
        lower: the field that is the smaller (or earlier) one.
        strict: whether equal values break the rule.
        tolerance: how far below the upper one may lie, in their unit.
    """

    upper: str
    lower: str
    strict: bool = False
    tolerance: float = 0.0

    def unfit(self, rows: Rows) -> str:
        """Return why the rule does not apply to these records, or ``""``."""
        return not_numbers(rows, [self.upper, self.lower])

    def judge(self, rows: Rows, when: str) -> Judged:
        """Judge each row that records both."""
        unit_of(rows, self.lower, [rows.schema[self.upper].unit])
        chosen = rows.select([self.upper, self.lower, *names_of(when)])
        gap = numbers(chosen.frame, self.upper) - numbers(chosen.frame, self.lower)
        broken = gap <= -self.tolerance if self.strict else gap < -self.tolerance
        return Judged(~np.isnan(gap) & holds(when, chosen, rows), broken, chosen.record)


@dataclass(frozen=True)
class Formula(Check):
    """A number agrees with what others imply.

    Args:
        field: the field.
        equals: arithmetic over other fields, see `casemix.evaluation.rules.formula`.
        units: the unit of the field and of each field of the formula.
        tolerance: largest difference that rounding and measurement explain, in the field's unit.
    """

    field: str
    equals: str
    units: Mapping[str, str]
    tolerance: float

    def __post_init__(self) -> None:
        check_arithmetic(self.equals)
        unnamed = [name for name in self._names() if name not in self.units]
        if unnamed:
            raise MappingError("A field of the formula has no unit in 'units'.", given=unnamed)

    def unfit(self, rows: Rows) -> str:
        """Return why the rule does not apply to these records, or ``""``."""
        return not_numbers(rows, self._names())

    def judge(self, rows: Rows, when: str) -> Judged:
        """Judge each row that records all fields, and for which the formula is defined."""
        for name in self._names():
            unit_of(rows, name, [self.units[name]])
        chosen = rows.select([*self._names(), *names_of(when)])
        columns = {name: numbers(chosen.frame, name) for name in self._names()}
        gap = np.abs(columns[self.field] - compute(self.equals, columns))
        eligible = ~np.isnan(gap) & holds(when, chosen, rows)
        return Judged(eligible, gap > self.tolerance, chosen.record)

    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([self.field, *names_in(self.equals)]))


@dataclass(frozen=True)
class Last(Check):
    """Nothing is recorded after an event, such as death.

    Args:
        event: numeric field that holds the time of the event in a UCUM unit of time, counted like
            the records' times from the subject's index time; missing = it did not happen.
        tolerance_hours: how much later a record may be, for events known only to the day.
    """

    event: str
    tolerance_hours: float = 0.0

    def unfit(self, rows: Rows) -> str:
        """Return why the rule does not apply to these records, or ``""``."""
        if rows.modality == CONTEXT:
            return "the context has no times"
        return not_numbers(rows, [self.event], elsewhere=True)

    def judge(self, rows: Rows, when: str) -> Judged:
        """Judge each time at which a subject with the event has anything recorded."""
        scale = HOURS[unit_of(rows, self.event, HOURS)]
        chosen = rows.select([self.event, *names_of(when)])
        if len(chosen.record) != len(rows.index):
            raise EvaluationError(
                "A rule about the last record may not depend on a channel.", given=when
            )
        allowed = numbers(chosen.frame, self.event) * scale + self.tolerance_hours
        hours, record = rows.recorded_hours()
        eligible = (~np.isnan(allowed) & holds(when, chosen, rows))[record]
        return Judged(eligible, hours > allowed[record], record)
