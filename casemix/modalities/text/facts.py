"""Facts: what a note states of its patient, and whether the patient's record agrees."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from casemix.core.conditions import Conditions
from casemix.core.fields import Kind, Schema
from casemix.errors import ConditionError, did_you_mean
from casemix.modalities.text.phrases import (
    Gram,
    LevelPhrase,
    RangePhrase,
    gram_rows,
    grams,
    level_phrases,
    lexicon_phrases,
    phrases_from_json,
    phrases_json,
    range_phrases,
)
from casemix.modalities.text.slots import MARK, Slots
from casemix.modalities.text.tokens import lines

Lexicon = Mapping[str, Mapping[str, Sequence[str]]]  #: field -> level -> wordings
_NEGATIVE = {"no", "not", "denies", "without", "non", "never", "kein", "keine", "nicht", "ohne"}
_MOSTLY = 0.9  # of the notes of patients whose value is recorded: then a note should state it


@dataclass(frozen=True)
class Fact:
    """One statement of a note.

    Args:
        field: the condition field, or a slot's wording where no field is repeated.
        value: a number or a level.
        unit: the field's unit.
        negated: the wording is a negation ("denies smoking").
        sentence: where it stands.
    """

    field: str
    value: float | str
    unit: str
    negated: bool
    sentence: str


@dataclass(frozen=True)
class Check:
    """What is wrong with a note, given its patient.

    Args:
        agreeing: stated facts that the record confirms.
        contradictions: stated facts that the record denies.
        missing: fields that notes nearly always state, but this one does not.
    """

    agreeing: tuple[Fact, ...]
    contradictions: tuple[Fact, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """What one delexicalised sentence says.

    Args:
        levels: (field, level) pairs.
        ranges: (slot, low, high) triples.
        slots: the slots whose number it states.
        negated: it holds a negation.
    """

    levels: frozenset[tuple[str, str]]
    ranges: frozenset[tuple[int, float, float]]
    slots: frozenset[int]
    negated: bool


@dataclass(frozen=True)
class FactReader:
    """A rule-based reader whose rules are learnt from notes of known patients.

    Args:
        slots: recurring numbers.
        levels: phrases that state a level.
        ranges: phrases that hold a number within an interval.
        schema: the fields that notes are known to state.
        usual: those of them that nearly every note states.
    """

    slots: Slots
    levels: tuple[LevelPhrase, ...]
    ranges: tuple[RangePhrase, ...]
    schema: Schema
    usual: tuple[str, ...] = ()
    _by_words: dict[Gram, list[LevelPhrase | RangePhrase]] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        index: dict[Gram, list[LevelPhrase | RangePhrase]] = defaultdict(list)
        phrases: list[LevelPhrase | RangePhrase] = [*self.levels, *self.ranges]
        for phrase in phrases:
            index[phrase.words].append(phrase)
        object.__setattr__(self, "_by_words", dict(index))

    @classmethod
    def fit(
        cls, texts: Sequence[str], given: Conditions, lexicon: Lexicon | None = None
    ) -> FactReader:
        """Learn how each field is stated.

        Args:
            texts: training notes.
            given: their patients' conditions, in the same order.
            lexicon: wordings that are known beforehand.

        Raises:
            ConditionError: a field or level of the lexicon that the conditions do not have.
        """
        _check_lexicon(lexicon or {}, given.schema)
        slots = Slots.fit(texts, given)
        read = [slots.delexicalise(text) for text in texts]
        values = np.array([v for _, v in read]).reshape(len(texts), len(slots))
        values = np.where(np.isnan(values), slots.sourced(given), values)
        rows = gram_rows([template for template, _ in read])
        levels = (*level_phrases(rows, given), *lexicon_phrases(lexicon or {}))
        stated = {p.field for p in levels} | {s.source for s in slots if s.source}
        schema = given.schema.pick(n for n in given.schema.names if n in stated)
        reader = cls(slots, levels, tuple(range_phrases(rows, values)), schema)
        return cls(slots, levels, reader.ranges, schema, reader._usual(texts, given))

    def _usual(self, texts: Sequence[str], given: Conditions) -> tuple[str, ...]:
        stated = [{f.field for f in self.extract(text)} for text in texts]
        names = []
        for f in self.schema:
            known = np.flatnonzero(given.rows[f.name].notna().to_numpy())
            if len(known) and np.mean([f.name in stated[i] for i in known]) >= _MOSTLY:
                names.append(f.name)
        return tuple(names)

    def read(self, sentence: str) -> Reading:
        """Return what a delexicalised sentence says."""
        found = [p for g in grams(sentence) for p in self._by_words.get(g, ())]
        return Reading(
            frozenset((p.field, p.level) for p in found if isinstance(p, LevelPhrase)),
            frozenset((p.slot, p.low, p.high) for p in found if isinstance(p, RangePhrase)),
            frozenset(int(i) for i in MARK.findall(sentence)),
            bool(_NEGATIVE & {word for gram in grams(sentence) for word in gram}),
        )

    def extract(self, note: str) -> list[Fact]:
        """Return the facts that a note states, in its order."""
        template, values = self.slots.delexicalise(note)
        facts: list[Fact] = []
        for line in lines(template):
            for sentence in line.sentences:
                reading, said = self.read(sentence), self.slots.fill(sentence, values)
                facts += self._numbers(reading, values, said)
                facts += [
                    Fact(name, level, "", reading.negated, said)
                    for name, level in sorted(reading.levels)
                ]
        return facts

    def _numbers(self, reading: Reading, values: np.ndarray, said: str) -> list[Fact]:
        facts = []
        for i in sorted(reading.slots):
            slot = self.slots.slots[i]
            unit = self.schema[slot.source].unit if slot.source else ""
            facts.append(Fact(slot.source or slot.name, float(values[i]), unit, False, said))
        return facts

    def check(self, note: str, record: Mapping[str, Any]) -> Check:
        """Compare a note with its patient.

        Args:
            note: the note.
            record: field -> value; a field that is absent or missing confirms and denies nothing.
        """
        facts = [f for f in self.extract(note) if not pd.isna(record.get(f.field))]
        right = [f for f in facts if self._agrees(f, record[f.field])]
        wrong = [f for f in facts if not self._agrees(f, record[f.field])]
        stated = {f.field for f in facts}
        missing = [n for n in self.usual if n not in stated and not pd.isna(record.get(n))]
        return Check(tuple(right), tuple(wrong), tuple(missing))

    def _agrees(self, fact: Fact, recorded: Any) -> bool:
        if isinstance(fact.value, str):
            return bool(fact.value == recorded)
        decimals = max(s.decimals for s in self.slots if s.source == fact.field)
        return abs(fact.value - float(recorded)) <= 0.5 * 10.0**-decimals + 1e-6

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready content."""
        return {
            "slots": self.slots.to_json(),
            "phrases": phrases_json(self.levels, self.ranges),
            "schema": self.schema.to_json(),
            "usual": list(self.usual),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> FactReader:
        """Rebuild what `to_json` wrote."""
        levels, ranges = phrases_from_json(content["phrases"])
        schema = Schema.from_json(content["schema"])
        slots = Slots.from_json(content["slots"])
        return cls(slots, levels, ranges, schema, tuple(content["usual"]))


def _check_lexicon(lexicon: Lexicon, schema: Schema) -> None:
    for name, levels in lexicon.items():
        if name not in schema or schema[name].kind is Kind.NUMERIC:
            raise ConditionError(
                f"The lexicon names '{name}', which is no levelled condition.",
                allowed=[f.name for f in schema if f.kind is not Kind.NUMERIC],
                next_step=did_you_mean(name, schema.names),
            )
        unknown = [level for level in levels if level not in schema[name].levels]
        if unknown:
            raise ConditionError(
                f"The lexicon names an unknown level of '{name}'.",
                given=unknown,
                allowed=schema[name].levels,
            )
