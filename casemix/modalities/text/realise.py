"""Mends a delexicalised note: sentences that the plan denies are replaced, or left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from casemix.modalities.text.facts import FactReader, Reading
from casemix.modalities.text.plan import Plans
from casemix.modalities.text.tokens import Line, join, lines, words

_SHARED = 3  # notes with a sentence, before it may stand in for another: it names nobody


@dataclass(frozen=True)
class Plan:
    """One note's row of `Plans`."""

    values: np.ndarray
    allowed: np.ndarray
    levels: Mapping[str, str]

    @classmethod
    def of(cls, plans: Plans, row: int) -> Plan:
        """Return one row."""
        return cls(plans.values[row], plans.allowed[row], plans.levels[row])

    def denies(self, reading: Reading, levels: Mapping[str, str]) -> tuple[set[str], set[int]]:
        """Return the fields and slots of which a sentence says something else.

        Args:
            reading: of the sentence.
            levels: what is known, from the plan and from what the note said before.
        """
        fields = {name for name, level in reading.levels if levels.get(name, level) != level}
        slots = {i for i, low, high in reading.ranges if not low <= self.values[i] <= high}
        unwritable = {i for i in reading.slots if i >= len(self.values) or not self.allowed[i]}
        return fields, slots | unwritable


@dataclass(frozen=True)
class Repairs:
    """What mending changed, over some notes.

    Args:
        notes: notes that were looked at.
        rewritten: notes that were written again because of a contradiction.
        replaced: sentences that were replaced.
        removed: sentences that were left out.
    """

    notes: int = 0
    rewritten: int = 0
    replaced: int = 0
    removed: int = 0

    def __add__(self, other: Repairs) -> Repairs:
        return Repairs(
            self.notes + other.notes,
            self.rewritten + other.rewritten,
            self.replaced + other.replaced,
            self.removed + other.removed,
        )

    def __str__(self) -> str:
        return (
            f"{self.notes} notes: {self.rewritten} rewritten, {self.replaced} sentences replaced, "
            f"{self.removed} removed"
        )


@dataclass(frozen=True)
class Stock:
    """A sentence that several training notes share."""

    header: str
    sentence: str
    notes: int
    reading: Reading


@dataclass(frozen=True)
class Realiser:
    """States facts in sentences that training notes share.

    Args:
        reader: reads sentences.
        stock: the shared sentences, most frequent first.
    """

    reader: FactReader
    stock: tuple[Stock, ...]

    @classmethod
    def fit(cls, templates: Sequence[str], reader: FactReader) -> Realiser:
        """Collect the sentences that several notes share."""
        counts: Counter[tuple[str, str]] = Counter()
        for template in templates:
            counts.update({(p.header, s) for p in lines(template) for s in p.sentences})
        shared = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return cls(
            reader,
            tuple(Stock(h, s, n, reader.read(s)) for (h, s), n in shared if n >= _SHARED),
        )

    def contradictions(self, template: str, plan: Plan) -> int:
        """Return the number of sentences that the plan, or an earlier sentence, denies."""
        levels, count = dict(plan.levels), 0
        for line in lines(template):
            for sentence in line.sentences:
                reading = self.reader.read(sentence)
                if any(plan.denies(reading, levels)):
                    count += 1
                else:
                    _learn(levels, reading)
        return count

    def mend(self, template: str, plan: Plan) -> tuple[str, Repairs]:
        """Return the template without contradictions, and what was changed."""
        if not self.contradictions(template, plan):
            return template, Repairs(notes=1)
        levels, replaced, removed = dict(plan.levels), 0, 0
        parts = lines(template)
        said = {s for p in parts for s in p.sentences}
        mended = []
        for part in parts:
            sentences = []
            for sentence in part.sentences:
                kept = self._instead(part.header, sentence, plan, levels, said)
                replaced += kept not in ("", sentence)
                removed += not kept
                if kept:
                    sentences.append(kept)
                    said.add(kept)
                    _learn(levels, self.reader.read(kept))
            mended.append(Line(part.header, tuple(sentences)))
        return join(mended), Repairs(1, 0, replaced, removed)

    def _instead(
        self, header: str, sentence: str, plan: Plan, levels: Mapping[str, str], said: set[str]
    ) -> str:
        """Return the sentence if it is right, else the nearest right one of the stock, or ""."""
        fields, slots = plan.denies(self.reader.read(sentence), levels)
        if not fields and not slots:
            return sentence
        spoken = set(words(sentence))
        best, score = "", (0.0, 0)
        for other in self.stock:
            about = {n for n, _ in other.reading.levels} & fields
            about_numbers = {i for i, _, _ in other.reading.ranges} & slots
            fits = other.header == header and other.sentence not in said
            if not fits or not (about or about_numbers) or any(plan.denies(other.reading, levels)):
                continue
            theirs = set(words(other.sentence))
            near = len(spoken & theirs) / len(spoken | theirs), other.notes
            if near > score:
                best, score = other.sentence, near
        return best

    def to_json(self) -> list[list[Any]]:
        """Return the stock as JSON-ready rows."""
        return [[s.header, s.sentence, s.notes] for s in self.stock]

    @classmethod
    def from_json(cls, content: Sequence[Sequence[Any]], reader: FactReader) -> Realiser:
        """Rebuild what `to_json` wrote."""
        return cls(reader, tuple(Stock(h, s, int(n), reader.read(s)) for h, s, n in content))


def _learn(levels: dict[str, str], reading: Reading) -> None:
    for name, level in reading.levels:
        levels.setdefault(name, level)
