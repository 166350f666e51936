"""Findings of notes: length, sections, negations, and the numbers and words that recur."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from casemix.core.fields import Field, Kind, Schema
from casemix.modalities.text.tokens import TOKEN, lines, words

_NEGATIONS = {"no", "not", "denies", "without", "negative", "non-smoker", "kein", "keine", "nicht"}
_MOST_NUMBERS = 12
_MOST_SECTIONS = 10
_NUMBER_SHARE = 0.3  # of training notes that state a number after the same word
_SECTION_SHARE = 0.05


@dataclass(frozen=True)
class NoteFindings:
    """Which findings the notes of one cohort have; learnt on training notes.

    Args:
        numbers: the words after which a number recurs, e.g. ``lvef``, ``nt-probnp``.
        sections: the section headers that recur.
    """

    numbers: tuple[str, ...]
    sections: tuple[str, ...]

    @classmethod
    def fit(cls, texts: Sequence[str]) -> NoteFindings:
        """Learn the recurring numbers and sections."""
        stated = Counter(key for text in texts for key in numbers_after_words(text))
        headed = Counter(h for text in texts for h in {line.header for line in lines(text)} if h)
        n = max(len(texts), 1)
        numbers = [k for k, c in stated.most_common(_MOST_NUMBERS) if c >= _NUMBER_SHARE * n]
        sections = [k for k, c in headed.most_common(_MOST_SECTIONS) if c >= _SECTION_SHARE * n]
        return cls(tuple(sorted(numbers)), tuple(sorted(sections)))

    @property
    def schema(self) -> Schema:
        """The fields of `of`."""
        fixed = [
            Field("text.words", Kind.NUMERIC, description="Number of words"),
            Field("text.sentences", Kind.NUMERIC, description="Number of sentences"),
            Field("text.negations", Kind.NUMERIC, description="Number of negation words"),
        ]
        numbers = [Field(f"text.{key}", Kind.NUMERIC) for key in self.numbers]
        sections = [
            Field(f"text.section.{name.rstrip(':').lower()}", Kind.BINARY) for name in self.sections
        ]
        return Schema((*fixed, *numbers, *sections))

    def of(self, texts: Sequence[str]) -> pd.DataFrame:
        """Return the findings of each note, (n, f); a number that is not stated is missing."""
        schema = self.schema
        rows = [self._row(text) for text in texts]
        return schema.coerce(pd.DataFrame(rows, columns=list(schema.names)))

    def _row(self, text: str) -> list[Any]:
        parts, stated = lines(text), numbers_after_words(text)
        headers = {line.header for line in parts}
        spoken = words(text)
        counts = [
            float(sum(w[0].isalpha() for w in spoken)),
            float(sum(len(line.sentences) for line in parts)),
            float(sum(w in _NEGATIONS for w in spoken)),
        ]
        numbers = [stated.get(key, np.nan) for key in self.numbers]
        return [*counts, *numbers, *("yes" if s in headers else "no" for s in self.sections)]

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready content."""
        return {"numbers": list(self.numbers), "sections": list(self.sections)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> NoteFindings:
        """Rebuild what `to_json` wrote."""
        return cls(tuple(content["numbers"]), tuple(content["sections"]))


def numbers_after_words(text: str) -> dict[str, float]:
    """Return word -> the first number that follows it directly, or after one more mark.

    >>> numbers_after_words("LVEF 35%. BP 120/80. 63-year-old")
    {'lvef': 35.0, 'bp': 120.0, 'bp/': 80.0, 'year-old': 63.0}
    """
    found: dict[str, float] = {}
    spoken = TOKEN.findall(text)
    last = ""
    for i, token in enumerate(spoken):
        if not re.fullmatch(r"\d+(?:\.\d+)?", token):
            last = token.lower() if token[0].isalpha() else last
            continue
        after_mark = i > 0 and spoken[i - 1] == "/"
        following = "".join(spoken[i + 1 : i + 3]).lower()
        key = f"{last}/" if after_mark else last
        if following.startswith("-year-old"):
            key = "year-old"
        if key:
            found.setdefault(key, float(token))
    return found
