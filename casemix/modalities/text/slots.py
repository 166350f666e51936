"""Slots: the numbers that notes state again and again, and the conditions that they repeat.

A delexicalised note has ``<n3>`` where the note has the number of slot 3. A model of language
then writes where a number stands, and the number itself comes from the patient.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from casemix.core.conditions import Conditions
from casemix.core.fields import Kind
from casemix.modalities.text.tokens import TOKEN

#: Where a slot stands in a delexicalised note.
MARK = re.compile(r"<n(\d+)>")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_ENDS = set(".,;:!?)")
_MOST_SLOTS = 48
_LEAST_NOTES = 5
_LEAST_SHARE = 0.03  # of notes in which the number stands
_LEAST_VALUES = 4  # distinct ones; a number that never varies is a word
_NEAR = 0.15  # standard deviations of the stated numbers
_AGREEMENT = 0.95  # of the notes that state the number
_ABSENT_NOTES = 5  # notes without the source that show whether the number needs it
_REACH = 3  # marks and numbers between a number and the word that names it


@dataclass(frozen=True)
class Slot:
    """One recurring number.

    Args:
        name: the wording around it, e.g. ``lvef _ %`` or ``_ -year-old``.
        occurrence: 0 for its first mention in a note, 1 for the second ...
        decimals: decimal places that notes give.
        source: the condition field that it repeats at that resolution, or ``""``.
        needs_source: notes of patients without a recorded source do not state it.
    """

    name: str
    occurrence: int
    decimals: int
    source: str = ""
    needs_source: bool = False

    def write(self, value: float) -> str:
        """Return the number as notes write it."""
        return f"{value:.{self.decimals}f}"


@dataclass(frozen=True)
class Slots:
    """The slots of one cohort's notes, learnt on training notes."""

    slots: tuple[Slot, ...]

    @classmethod
    def fit(cls, texts: Sequence[str], given: Conditions) -> Slots:
        """Find the recurring numbers, and which of them repeat a numeric condition."""
        mentions = _mentions(texts)
        least = max(_LEAST_NOTES, _LEAST_SHARE * len(texts))
        common = [
            (key, rows)
            for key, rows in mentions.items()
            if len(rows) >= least and len(set(rows.values())) >= _LEAST_VALUES
        ]
        common.sort(key=lambda item: (-len(item[1]), item[0]))
        found = [_slot(key, rows, given) for key, rows in common[:_MOST_SLOTS]]
        return cls(tuple(sorted(found, key=lambda slot: (slot.name, slot.occurrence))))

    def __len__(self) -> int:
        return len(self.slots)

    def __iter__(self) -> Iterator[Slot]:
        return iter(self.slots)

    def delexicalise(self, note: str) -> tuple[str, np.ndarray]:
        """Return the note with marks for its slots, and the slots' values (k,), NaN = not stated.

        A number that is no slot stays as it is; what only looks like a mark is pulled apart.
        """
        note = MARK.sub(r"<n \1>", note)
        position = {(slot.name, slot.occurrence): i for i, slot in enumerate(self.slots)}
        values = np.full(len(self), np.nan)
        pieces, end = [], 0
        for key, match in _numbers(note):
            i = position.get(key)
            if i is None:
                continue
            values[i] = float(match.group())
            pieces += [note[end : match.start()], f"<n{i}>"]
            end = match.end()
        return "".join(pieces) + note[end:], values

    def fill(self, template: str, values: np.ndarray) -> str:
        """Return the note of a template: each mark replaced by its slot's value.

        A mark of no slot, which only an unchecked template has, is left out.
        """

        def written(mark: re.Match[str]) -> str:
            i = int(mark.group(1))
            return self.slots[i].write(values[i]) if i < len(self) else ""

        return MARK.sub(written, template)

    def sourced(self, given: Conditions) -> np.ndarray:
        """Return the values that the conditions give, (n, k); NaN = none."""
        values = np.full((len(given), len(self)), np.nan)
        for i, slot in enumerate(self.slots):
            if slot.source in given.schema:
                column = given.rows[slot.source].to_numpy(dtype=float)
                values[:, i] = np.round(column, slot.decimals)
        return values

    def to_json(self) -> list[dict[str, Any]]:
        """Return JSON-ready content."""
        return [asdict(slot) for slot in self.slots]

    @classmethod
    def from_json(cls, content: Sequence[Mapping[str, Any]]) -> Slots:
        """Rebuild what `to_json` wrote."""
        return cls(tuple(Slot(**entry) for entry in content))


_Key = tuple[str, int]


def _mentions(texts: Sequence[str]) -> dict[_Key, dict[int, str]]:
    """Return slot key -> note position -> the number as written."""
    found: dict[_Key, dict[int, str]] = defaultdict(dict)
    for row, text in enumerate(texts):
        for key, match in _numbers(text):
            found[key][row] = match.group()
    return found


def _numbers(note: str) -> Iterator[tuple[_Key, re.Match[str]]]:
    """Yield each number of a note with its wording and how often that wording came before."""
    tokens = list(TOKEN.finditer(note))
    seen: Counter[str] = Counter()
    for i, token in enumerate(tokens):
        if not _NUMBER.fullmatch(token.group()):
            continue
        name = _wording([t.group() for t in tokens[max(0, i - _REACH) : i + 3]], min(i, _REACH))
        if name:
            yield (name, seen[name]), token
            seen[name] += 1


def _wording(around: Sequence[str], at: int) -> str:
    """Return the words that name the number at a position of these tokens, or nothing.

    >>> _wording(["BP", "120", "/", "80", "."], 3), _wording(["63", "-", "year-old"], 0)
    ('bp # / _', '_ -year-old')
    """
    after = [t.lower() for t in around[at + 1 :]]
    if len(after) > 1 and after[0] == "-" and after[1][0].isalpha():
        return f"_ -{after[1]}"
    right = after[0] if after and after[0] not in _ENDS and not after[0][0].isupper() else ""
    left: list[str] = []
    for token in reversed(around[:at]):
        left.insert(0, "#" if token[0].isdigit() else token.lower())
        if token[0].isalpha():
            return " ".join([*left, "_", right]).strip()
    return f"_ {right}" if right and right[0].isalpha() else ""


def _slot(key: _Key, rows: Mapping[int, str], given: Conditions) -> Slot:
    places = Counter(len(text.partition(".")[2]) for text in rows.values())
    decimals = places.most_common(1)[0][0]
    stated = np.array(list(rows))
    numbers = np.array([float(text) for text in rows.values()])
    exact = 0.5 * 10.0**-decimals + 1e-6
    near = _NEAR * float(np.std(numbers))
    best = _source(given, stated, numbers, exact) or _source(given, stated, numbers, near)
    needs = bool(best) and _needs(given.rows[best].to_numpy(), stated)
    return Slot(*key, decimals, best, needs)


def _source(given: Conditions, stated: np.ndarray, numbers: np.ndarray, within: float) -> str:
    """Return the field that most numbers repeat, or nothing.

    A measurement and its statement may differ: an ejection fraction read off one slice and the
    reported one. Then the field that is always near is what the number states.
    """
    best, score = "", _AGREEMENT
    for field in given.schema:
        if field.kind is not Kind.NUMERIC:
            continue
        share = _agreement(given.rows[field.name].to_numpy()[stated], numbers, within)
        if share > score or (share == score and not best):
            best, score = field.name, share
    return best


def _agreement(values: np.ndarray, numbers: np.ndarray, within: float) -> float:
    """Return the share of numbers that a field explains."""
    known = ~np.isnan(values)
    if known.sum() < _LEAST_NOTES or len(set(values[known])) < _LEAST_VALUES:
        return 0.0
    return float((np.abs(values - numbers)[known] <= within).mean())


def _needs(values: np.ndarray, stated: np.ndarray) -> bool:
    without = np.flatnonzero(np.isnan(values))
    return len(without) >= _ABSENT_NOTES and not set(without) & set(stated)
