"""What notes say in words: findings asserted, sides, units, and the order of dates.

Other modalities, the record and real notes are held against these; see
`casemix.evaluation.contradictions`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from casemix.modalities.text.tokens import lines

_NEGATIONS = {"no", "not", "denies", "denied", "without", "negative", "never", "absent"}
_TURNS = {"but", "however", "except"}  # end the scope of a negation
_SCOPE = 6  # words after a negation that it reaches
_SIDES = {"left": "left", "right": "right", "bilateral": "bilateral", "both": "bilateral"}
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|-){2,}")
_UNIT = re.compile(
    r"([a-z][\w-]*)[\s:=]+(?:of |is )?\d+(?:[.,]\d+)?\s?([%°a-zµ]+(?:/[a-z0-9]+(?:\.\d+\w*)?)*)"
)
_DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b|\b(\d{1,2})\.(\d{1,2})\.(\d{4})\b")
_MOST_TERMS = 16
_MOST_NOUNS = 8  # that bear a side
_MOST_UNITS = 12
_VARIES = 0.05  # a term is asserted in at least, and at most one minus, this share of notes
_SIDED = 0.05  # share of notes that give a noun's side
_RECURS = 0.3  # share of notes that give a number's unit


@dataclass(frozen=True)
class NoteStatements:
    """Which statements the notes of one cohort make; learnt on training notes.

    Args:
        terms: words that some notes assert and others deny or do not mention.
        nouns: words that bear a side, such as the ventricle of ``left ventricle``.
        measured: words after which a number with a unit recurs.
    """

    terms: tuple[str, ...]
    nouns: tuple[str, ...]
    measured: tuple[str, ...]

    @classmethod
    def fit(cls, texts: Sequence[str]) -> NoteStatements:
        """Learn what recurs."""
        n = max(len(texts), 1)
        told = Counter(term for text in texts for term in asserted(text))
        shares = {term: count / n for term, count in told.items()}
        varied = [t for t, share in shares.items() if _VARIES <= share <= 1 - _VARIES]
        varied.sort(key=lambda t: (abs(shares[t] - 0.5), t))
        sides = Counter(noun for text in texts for noun in sided(text))
        units = Counter(word for text in texts for word in units_of(text))
        nouns = [w for w, c in sides.most_common(_MOST_NOUNS) if c >= _SIDED * n]
        measured = [w for w, c in units.most_common(_MOST_UNITS) if c >= _RECURS * n]
        return cls(
            tuple(sorted(varied[:_MOST_TERMS])), tuple(sorted(nouns)), tuple(sorted(measured))
        )

    def of(self, texts: Sequence[str]) -> pd.DataFrame:
        """Return what each note states, (n, s) words; None where it says nothing of it.

        Columns are ``asserts TERM`` (yes or no), ``side of NOUN``, ``unit of WORD`` and ``dates in
        order`` (yes or no, of notes with two dates or more).
        """
        rows = []
        for text in texts:
            told, sides, units = asserted(text), sided(text), units_of(text)
            rows.append(
                [
                    *("yes" if term in told else "no" for term in self.terms),
                    *(sides.get(noun) for noun in self.nouns),
                    *(units.get(word) for word in self.measured),
                    dates_in_order(text),
                ]
            )
        names = [
            *(f"asserts {term}" for term in self.terms),
            *(f"side of {noun}" for noun in self.nouns),
            *(f"unit of {word}" for word in self.measured),
            "dates in order",
        ]
        return pd.DataFrame(rows, columns=names, dtype=object)

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready content."""
        return {name: list(getattr(self, name)) for name in ("terms", "nouns", "measured")}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> NoteStatements:
        """Rebuild what `to_json` wrote."""
        return cls(*(tuple(content[name]) for name in ("terms", "nouns", "measured")))


def asserted(text: str) -> set[str]:
    """Return the words that a note uses outside the reach of a negation.

    >>> sorted(asserted("Reports cough. No fever or pleural effusion, but wheeze."))
    ['cough', 'reports', 'wheeze']
    """
    found: set[str] = set()
    for line in lines(text.lower()):
        for sentence in line.sentences:
            reach = 0
            for word in re.findall(r"[^\W\d_](?:[^\W\d_]|-)*", sentence):
                if word in _NEGATIONS:
                    reach = _SCOPE
                elif word in _TURNS:
                    reach = 0
                elif reach == 0 and _WORD.fullmatch(word) and word not in ENGLISH_STOP_WORDS:
                    found.add(word)
                reach = max(reach - 1, 0) if word not in _NEGATIONS else reach
    return found


def sided(text: str) -> dict[str, str]:
    """Return word -> the side that is first given of it.

    >>> sided("Opacity in the right lung. Left ventricle dilated, both kidneys small.")
    {'lung': 'right', 'ventricle': 'left', 'kidneys': 'bilateral'}
    """
    found: dict[str, str] = {}
    for side, noun in re.findall(rf"\b({'|'.join(_SIDES)})\s+([a-z]{{3,}})", text.lower()):
        found.setdefault(noun, _SIDES[side])
    return found


def units_of(text: str) -> dict[str, str]:
    """Return word -> the unit of the first number after it.

    >>> units_of("LVEF 35 %, LVEDV: 180 mL. Creatinine 1.1 mg/dL")
    {'lvef': '%', 'lvedv': 'ml', 'creatinine': 'mg/dl'}
    """
    found: dict[str, str] = {}
    for word, unit in _UNIT.findall(text.lower()):
        found.setdefault(word, unit)
    return found


def dates_in_order(text: str) -> str | None:
    """Return whether the dates of a note exist and never go back; None with fewer than two.

    >>> dates_in_order("Admitted 2024-01-05, discharged 2024-01-03.")
    'no'
    """
    found = _DATE.findall(text)
    if len(found) < 2:
        return None
    try:
        days = [date(*map(int, d[:3] if d[0] else d[5:2:-1])) for d in found]
    except ValueError:  # there is no such day
        return "no"
    return "yes" if days == sorted(days) else "no"
