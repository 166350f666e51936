"""Units of numeric columns, from what a column's name states or from what is usual."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """A UCUM unit and why it was taken.

    Args:
        code: UCUM code, such as ``mm[Hg]``.
        reason: for the person who corrects the mapping; a guess says so.
    """

    code: str
    reason: str


#: How units are written in names (lower case, without blanks) -> UCUM code.
_WRITTEN = {
    "kg": "kg",
    "g": "g",
    "cm": "cm",
    "mm": "mm",
    "m": "m",
    "ml": "mL",
    "l": "L",
    "kg/m2": "kg/m2",
    "mmhg": "mm[Hg]",
    "mg/dl": "mg/dL",
    "g/dl": "g/dL",
    "g/l": "g/L",
    "mg/l": "mg/L",
    "ug/l": "ug/L",
    "ng/ml": "ng/mL",
    "pg/ml": "pg/mL",
    "ng/l": "ng/L",
    "mmol/l": "mmol/L",
    "umol/l": "umol/L",
    "meq/l": "meq/L",
    "u/l": "U/L",
    "iu/l": "[IU]/L",
    "iu/ml": "[IU]/mL",
    "miu/l": "m[IU]/L",
    "k/ul": "10*3/uL",
    "10^9/l": "10*9/L",
    "10^3/ul": "10*3/uL",
    "10^6/ul": "10*6/uL",
    "10^12/l": "10*12/L",
    "fl": "fL",
    "pg": "pg",
    "%": "%",
    "pct": "%",
    "percent": "%",
    "bpm": "/min",
    "/min": "/min",
    "permin": "/min",
    "breaths/min": "/min",
    "beats/min": "/min",
    "l/min": "L/min",
    "ml/min": "mL/min",
    "ml/h": "mL/h",
    "ml/hr": "mL/h",
    "kpa": "kPa",
    "cmh2o": "cm[H2O]",
    "°c": "Cel",
    "celsius": "Cel",
    "degc": "Cel",
    "°f": "[degF]",
    "fahrenheit": "[degF]",
    "degf": "[degF]",
    "years": "a",
    "year": "a",
    "yrs": "a",
    "yr": "a",
    "months": "mo",
    "weeks": "wk",
    "days": "d",
    "day": "d",
    "hours": "h",
    "hour": "h",
    "hrs": "h",
    "hr": "h",
    "h": "h",
    "minutes": "min",
    "mins": "min",
    "min": "min",
    "seconds": "s",
    "secs": "s",
    "sec": "s",
    "ms": "ms",
    "msec": "ms",
    "uv": "uV",
    "mv": "mV",
    "mcg": "ug",
    "mg": "mg",
}
#: Within brackets a letter is a unit; at the end of a name it could be anything.
_ONLY_IN_BRACKETS = {
    "c": "Cel",
    "f": "[degF]",
    "y": "a",
    "d": "d",
    "s": "s",
    "mo": "mo",
    "wk": "wk",
}
_NOT_AS_ENDING = frozenset({"g", "m", "l", "h", "hr", "min", "pg", "year", "day", "hour", "/min"})
_BRACKETS = re.compile(r"[(\[{]\s*([^()\[\]{}]+?)\s*[)\]}]")


def _above(bound: float, high: str, low: str) -> Callable[[float], str]:
    return lambda median: high if median > bound else low


#: Quantity, as a pattern of whole words in a name -> its usual unit given the column's median.
_USUAL: tuple[tuple[str, Callable[[float], str]], ...] = (
    ("age", lambda _: "a"),
    ("heart rate|hr|pulse|resp rate|respiratory rate|rr|resp", lambda _: "/min"),
    (
        "sbp|dbp|map|nisysabp|nidiasabp|sysabp|diasabp|abp|systolic|diastolic|blood pressure",
        lambda _: "mm[Hg]",
    ),
    ("temp|temperature", _above(60, "[degF]", "Cel")),
    ("spo2|sao2|o2sat|oxygen saturation|hematocrit|haematocrit|hct|hba1c", lambda _: "%"),
    ("height", lambda median: "m" if median < 3 else _above(90, "cm", "[in_i]")(median)),
    ("weight", lambda _: "kg"),
    ("bmi", lambda _: "kg/m2"),
    ("creatinine|crea", _above(20, "umol/L", "mg/dL")),
    ("glucose|glu", _above(30, "mg/dL", "mmol/L")),
    ("sodium|potassium|chloride|bicarbonate|hco3|lactate", lambda _: "mmol/L"),
    ("bun|bilirubin", lambda _: "mg/dL"),
    ("cholesterol|hdl|ldl|triglycerides", _above(20, "mg/dL", "mmol/L")),
    ("hemoglobin|haemoglobin|hgb|hb", _above(30, "g/L", "g/dL")),
    ("albumin", _above(10, "g/L", "g/dL")),
    ("wbc|leukocytes|platelets|plt", lambda _: "10*3/uL"),
    ("crp", lambda _: "mg/L"),
    ("alt|ast|alp|ldh", lambda _: "U/L"),
    ("length of stay|los|time in hospital", lambda _: "d"),
)


def unit_of(name: str, median: float) -> Unit | None:
    """Return the unit that a column's name states, or else the usual one, or None.

    >>> unit_of("sbp_mmhg", 120.0)
    Unit(code='mm[Hg]', reason='unit from the name')
    >>> unit_of("Creatinine", 88.0).code
    'umol/L'

    Args:
        name: the column's name.
        median: of its numbers; it tells apart units that are both usual.
    """
    stated = _stated(name)
    if stated:
        return Unit(stated, "unit from the name")
    words = f" {' '.join(_words(name))} "
    for pattern, usual in _USUAL:
        if re.search(rf" (?:{pattern}) ", words):
            return Unit(usual(median), "unit is a guess: the usual one")
    return None


def _stated(name: str) -> str:
    for inside in _BRACKETS.findall(name):
        written = re.sub(r"\s+|\bin\b", "", inside).lower().replace("µ", "u").replace("μ", "u")
        if written in _WRITTEN or written in _ONLY_IN_BRACKETS:
            return _WRITTEN.get(written) or _ONLY_IN_BRACKETS[written]
    words = _words(name)
    for count in (2, 1):
        ending = "/".join(words[-count:])
        if len(words) > count and ending in _WRITTEN and ending not in _NOT_AS_ENDING:
            return _WRITTEN[ending]
    return ""


def _words(name: str) -> list[str]:
    """Return the words of a name: ``LengthOfStay_days`` is length, of, stay, days."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.sub(r"[^a-z0-9%°]+", " ", parted.lower()).split()
