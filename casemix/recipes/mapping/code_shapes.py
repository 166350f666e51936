"""Which code system a column's levels look like."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MATCHING = 0.95  # share of the levels that must have the shape
#: Code system, its shape, and the words one of which must stand in the column's name; "" = none.
_SHAPES = (
    ("LOINC", r"\d{1,5}-\d", ""),
    ("ATC", r"[A-Z]\d{2}[A-Z]{2}\d{2}", ""),
    ("ICD-9-CM", r"(?:\d{3}|V\d{2}|E\d{3})(?:\.?\d{1,2})?", "diag|icd|dx|code|condition|reason"),
    (
        "ICD-10",
        r"[A-Z]\d[0-9A-Z](?:\.?[0-9A-Z]{1,4})?",
        "diag|icd|dx|code|condition|reason|cause",
    ),
    ("SNOMED CT", r"\d{6,18}", "snomed|sctid"),
)
#: Words of a name that say that whole numbers are codes, not quantities.
_CODE_WORDS = re.compile(
    r"(?:^|[^a-z])(?:id|ids|code|codes|icd|icd9|icd10|diag|dx|cpt|drg|ndc|hcpcs|loinc|snomed|"
    r"atc|zip|postcode|nbr|key)(?:[^a-z]|$)|code\d*$|"
    r"(?:hospital|ward|patient|person|subject|stay|item|unit|encounter|visit|provider|drug)id$"
)


def code_system(name: str, levels: Sequence[str]) -> str:
    """Return the code system that most levels have the shape of, or ``""``.

    >>> code_system("diag_1", ["250.83", "428", "V57", "E909"])
    'ICD-9-CM'

    Args:
        name: the column's name.
        levels: its texts.
    """
    for system, shape, words in _SHAPES:
        named = not words or re.search(words, name.lower())
        fits = sum(re.fullmatch(shape, level) is not None for level in levels)
        if named and len(levels) >= 3 and fits >= _MATCHING * len(levels):
            return system
    return ""


def names_codes(name: str) -> bool:
    """Return whether a name says that whole numbers in its column are codes or ids.

    >>> names_codes("admission_type_id"), names_codes("wardid"), names_codes("fluid_ml")
    (True, True, False)
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return _CODE_WORDS.search(words) is not None
