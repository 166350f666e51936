"""Rules about codes that only one sex or some ages can have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from casemix.errors import EvaluationError, MappingError
from casemix.evaluation.rules.check import (
    BoolArray,
    Check,
    Judged,
    holds,
    names_of,
    not_numbers,
    numbers,
    unit_of,
)
from casemix.evaluation.rules.rows import Rows


@dataclass(frozen=True)
class Codes(Check):
    """Codes that only one sex or some ages can have.

    Args:
        system: code systems, as the fields name theirs: ``[ICD-10, ICD-10-CM]``.
        codes: prefixes, or first and last prefix of a span: ``[O, C51-C58]``. Dots do not count.
        sex: who can have them; empty for both.
        age: lowest and highest age in completed years; empty for all.
        field: the field of codes; by default every one of these systems.
    """

    system: tuple[str, ...]
    codes: tuple[str, ...]
    sex: Literal["", "female", "male"] = ""
    age: tuple[float, ...] = ()
    field: str = ""

    def __post_init__(self) -> None:
        if not self.sex and not self.age:
            raise MappingError("A rule about codes needs 'sex', 'age' or both.")
        if self.age and (len(self.age) != 2 or not self.age[0] <= self.age[1]):
            raise MappingError("An age needs a lowest and a highest year.", given=self.age)
        for code in self.codes:
            _span(code)

    def unfit(self, rows: Rows) -> str:
        """Return why the rule does not apply to these records, or ``""``."""
        if not self._fields(rows):
            return f"no field of codes of {' or '.join(self.system)}"
        if self.sex and not _sexes(rows):
            return "no field 'sex' with levels that read as female or male"
        return not_numbers(rows, ["age"], elsewhere=True) if self.age else ""

    def judge(self, rows: Rows, when: str) -> Judged:
        """Judge each row that has such a code and a known sex or age."""
        fields = self._fields(rows)
        needed = [*(["sex"] if self.sex else []), *(["age"] if self.age else [])]
        chosen = rows.select([*fields, *needed, *names_of(when)])
        coded = np.logical_or.reduce([self._meant(chosen.frame[name]) for name in fields])
        known, broken = np.zeros(len(coded), dtype=bool), np.zeros(len(coded), dtype=bool)
        if self.sex:
            sex = chosen.frame["sex"].map(_sexes(rows))
            known |= sex.notna().to_numpy()
            broken |= (sex.notna() & (sex != self.sex)).to_numpy()
        if self.age:
            unit_of(rows, "age", ["a"])
            years = np.floor(numbers(chosen.frame, "age"))
            known |= ~np.isnan(years)
            broken |= (years < self.age[0]) | (years > self.age[1])
        return Judged(coded & known & holds(when, chosen, rows), broken, chosen.record)

    @cached_property
    def _spans(self) -> tuple[tuple[str, str], ...]:
        return tuple(_span(code) for code in self.codes)

    def _fields(self, rows: Rows) -> list[str]:
        if not self.field:
            return [f.name for f in rows.schema if f.code_system in self.system and rows.has(f)]
        if self.field not in rows.schema:
            return []
        system = rows.schema[self.field].code_system
        if system not in self.system:
            raise EvaluationError(
                f"The codes of '{self.field}' are of another system.",
                given=system or "none named",
                allowed=self.system,
            )
        return [self.field]

    def _meant(self, column: pd.Series) -> BoolArray:
        lists = [c if isinstance(c, list) else [c] for c in column.where(column.notna(), "")]
        plain = [[str(code).replace(".", "").upper() for code in codes] for codes in lists]
        marks = [
            any(_inside(code, span) for code in codes for span in self._spans) for codes in plain
        ]
        return np.array(marks, dtype=bool)


def _span(text: str) -> tuple[str, str]:
    first, _, last = text.replace(".", "").upper().partition("-")
    if not first or (last and (len(first) != len(last) or first > last)):
        raise MappingError("A span of codes needs a first and a last of one length.", given=text)
    return first, last or first


def _inside(code: str, span: tuple[str, str]) -> bool:
    first, last = span
    return len(code) >= len(first) and first <= code[: len(first)] <= last


def _sexes(rows: Rows) -> dict[str, str]:
    """Return level -> female or male, of the levels of ``sex`` that can be read."""
    if "sex" not in rows.schema:
        return {}
    spelled = {"f": "female", "female": "female", "m": "male", "male": "male"}
    levels = rows.schema["sex"].levels
    return {level: spelled[level.lower()] for level in levels if level.lower() in spelled}
