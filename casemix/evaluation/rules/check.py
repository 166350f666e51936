"""The contract of a kind of rule, and how its kinds read fields."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from casemix.core import expressions
from casemix.errors import EvaluationError, did_you_mean
from casemix.evaluation.rules.formula import names_in
from casemix.evaluation.rules.rows import Rows, Selection, is_numeric
from casemix.evaluation.statistics import FloatArray, IntArray

BoolArray = npt.NDArray[np.bool_]


class Judged(NamedTuple):
    """Row by row: could the rule be checked, and was it broken; ``record`` is whose row it is."""

    eligible: BoolArray
    broken: BoolArray
    record: IntArray


class Check(ABC):
    """One kind of rule."""

    @abstractmethod
    def unfit(self, rows: Rows) -> str:
        """Return why the rule does not apply to these records, or ``""``."""

    @abstractmethod
    def judge(self, rows: Rows, when: str) -> Judged:
        """Judge the rows where the filter ``when`` holds (everywhere if empty).

        Raises:
            EvaluationError: a field is in a unit that the rule has no limits for.
            ConditionError: a filter that does not fit the fields' kinds or levels.
        """


def absent(rows: Rows, names: Iterable[str], *, elsewhere: bool = False) -> str:
    """Return why these fields cannot be judged on these records, in words, or ``""``.

    Args:
        rows: the records.
        names: fields that must all be there.
        elsewhere: whether the records need not have any of the fields of their own. Else a rule
            about the context would be counted again in every modality.
    """
    wanted = list(names)
    for name in wanted:
        if name not in rows.schema:
            return f"no field '{name}'. {did_you_mean(name, rows.schema.names)}".strip()
    if not elsewhere and not any(rows.has(rows.schema[name]) for name in wanted):
        return f"'{wanted[0]}' is recorded elsewhere, and judged there"
    return ""


def not_numbers(rows: Rows, names: Iterable[str], *, elsewhere: bool = False) -> str:
    """Return why these fields are not numbers of these records, or ``""``; see `absent`."""
    wanted = list(names)
    reason = absent(rows, wanted, elsewhere=elsewhere)
    for name in [] if reason else wanted:
        if not is_numeric(rows.schema[name]):
            return f"the field '{name}' is {rows.schema[name].kind}, not numeric"
    return reason


def names_of(when: str) -> tuple[str, ...]:
    """Return the fields that a filter reads; none for an empty one."""
    return names_in(when) if when else ()


def holds(expression: str, chosen: Selection, rows: Rows) -> BoolArray:
    """Return row by row whether a filter holds; an empty one always does."""
    if not expression:
        return np.ones(len(chosen.record), dtype=bool)
    schema = rows.schema.pick(names_in(expression))
    return np.asarray(expressions.evaluate(expression, chosen.frame, schema), dtype=bool)


def numbers(frame: pd.DataFrame, name: str) -> FloatArray:
    """Return a numeric field, (m,), NaN = not recorded."""
    return frame[name].to_numpy(dtype=np.float64)


def plain_unit(text: str) -> str:
    """Return the unit, with UCUM's unity ``1`` and no unit at all as one."""
    return "" if text == "1" else text


def unit_of(rows: Rows, name: str, allowed: Iterable[str]) -> str:
    """Return a field's unit, which must be one of those allowed."""
    unit = plain_unit(rows.schema[name].unit)
    if unit not in {plain_unit(a) for a in allowed}:
        raise EvaluationError(
            f"The field '{name}' is in a unit that the rule says nothing about.",
            given=unit or "no unit",
            allowed=[a or "no unit" for a in allowed],
            next_step="Write a rule of the same name with limits in that unit, "
            "or leave the rule out with 'without'.",
        )
    return unit
