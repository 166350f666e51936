"""Phrases that state a level or a threshold, learnt from notes whose patients are known."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from casemix.core.conditions import Conditions
from casemix.core.fields import LEVELLED
from casemix.modalities.text.tokens import lines, words

Gram = tuple[str, ...]
START, END = "^", "$"
_LONGEST = 4  # words of a phrase
_LEAST_NOTES = 5
_CERTAINTY = -18.0  # log probability that a phrase kept to one level by chance
_WIDEST = 0.6  # share of all patients inside a threshold phrase's interval
_COVERED = 0.75  # share of the patients inside the interval whose notes have the phrase


@dataclass(frozen=True)
class LevelPhrase:
    """In training, notes with these words belonged to one level of a field, without exception."""

    words: Gram
    field: str
    level: str


@dataclass(frozen=True)
class RangePhrase:
    """In training, the number of slot ``slot`` lay in [low, high] wherever these words stood."""

    words: Gram
    slot: int
    low: float
    high: float


def grams(sentence: str) -> set[Gram]:
    """Return the runs of up to four words of a sentence, with marks for its start and end.

    >>> ("^", "no", "htn") in grams("No HTN.")
    True
    """
    spoken = [START, *_spoken(sentence), END]
    runs = (
        tuple(spoken[i : i + size])
        for size in range(1, _LONGEST + 1)
        for i in range(len(spoken) - size + 1)
    )
    return {run for run in runs if set(run) - {START, END, "#"}}


def _spoken(text: str) -> Gram:
    return tuple(w for w in words(text) if w[0].isalnum() or w == "#")


def note_grams(note: str) -> set[Gram]:
    """Return the runs of all sentences of a note."""
    return {g for line in lines(note) for s in line.sentences for g in grams(s)}


def gram_rows(notes: Sequence[str]) -> dict[Gram, np.ndarray]:
    """Return phrase -> positions of the notes that have it, for phrases of several notes."""
    rows: dict[Gram, list[int]] = defaultdict(list)
    for i, note in enumerate(notes):
        for gram in note_grams(note):
            rows[gram].append(i)
    kept = {g: np.array(r) for g, r in rows.items() if len(r) >= _LEAST_NOTES}
    return dict(sorted(kept.items(), key=lambda item: (len(item[0]), item[0])))


def level_phrases(rows: Mapping[Gram, np.ndarray], given: Conditions) -> list[LevelPhrase]:
    """Return the shortest phrases that state a level.

    A phrase counts if all its notes share the level and that would be a miracle by chance: the
    level's share to the power of the notes is below e^-18 (thousands of phrases are tried).
    """
    found: list[LevelPhrase] = []
    for field in given.schema:
        if field.kind not in LEVELLED:
            continue
        column = given.rows[field.name].to_numpy(dtype=object)
        shares = Counter(c for c in column if c is not None)
        total = max(sum(shares.values()), 1)
        kept: set[tuple[Gram, str]] = set()
        for gram, positions in rows.items():
            levels = Counter(c for c in column[positions] if c is not None)
            if len(levels) != 1:
                continue
            level, count = levels.most_common(1)[0]
            if count * math.log(shares[level] / total) > _CERTAINTY:
                continue
            if not any((part, level) in kept for part in _parts(gram)):
                kept.add((gram, level))
                found.append(LevelPhrase(gram, field.name, level))
    return found


def range_phrases(rows: Mapping[Gram, np.ndarray], values: np.ndarray) -> list[RangePhrase]:
    """Return phrases such as "severely reduced" that hold a number within an interval.

    Args:
        rows: see `gram_rows`.
        values: numbers of the training notes, (n, k), NaN = not known.
    """
    found: list[RangePhrase] = []
    kept: dict[Gram, RangePhrase] = {}
    for gram, positions in rows.items():
        best = _sharpest(gram, positions, values)
        if best is None or any(kept.get(part) == _renamed(best, part) for part in _parts(gram)):
            continue
        kept[gram] = best
        found.append(best)
    return found


def _sharpest(gram: Gram, positions: np.ndarray, values: np.ndarray) -> RangePhrase | None:
    best, certainty = None, _CERTAINTY
    for slot in range(values.shape[1]):
        everyone = values[~np.isnan(values[:, slot]), slot]
        here = values[positions, slot]
        here = here[~np.isnan(here)]
        if len(here) < _LEAST_NOTES:
            continue
        low, high = here.min(), here.max()
        inside = int(((everyone >= low) & (everyone <= high)).sum())
        share = inside / len(everyone)
        sure = len(here) * math.log(share)
        if share <= _WIDEST and len(here) >= _COVERED * inside and sure < certainty:
            best, certainty = RangePhrase(gram, slot, float(low), float(high)), sure
    return best


def _renamed(phrase: RangePhrase, gram: Gram) -> RangePhrase:
    return RangePhrase(gram, phrase.slot, phrase.low, phrase.high)


def _parts(gram: Gram) -> Iterator[Gram]:
    """Yield the shorter runs inside a run."""
    for size in range(1, len(gram)):
        for i in range(len(gram) - size + 1):
            yield gram[i : i + size]


def lexicon_phrases(
    lexicon: Mapping[str, Mapping[str, Iterable[str]]],
) -> list[LevelPhrase]:
    """Return a user's own phrases: field -> level -> wordings."""
    return [
        LevelPhrase(_spoken(wording), field, level)
        for field, levels in lexicon.items()
        for level, wordings in levels.items()
        for wording in wordings
    ]


def phrases_json(
    levels: Sequence[LevelPhrase], ranges: Sequence[RangePhrase]
) -> dict[str, list[list[Any]]]:
    """Return both kinds as JSON-ready rows."""
    return {
        "levels": [[" ".join(p.words), p.field, p.level] for p in levels],
        "ranges": [[" ".join(p.words), p.slot, p.low, p.high] for p in ranges],
    }


def phrases_from_json(
    content: Mapping[str, Any],
) -> tuple[tuple[LevelPhrase, ...], tuple[RangePhrase, ...]]:
    """Rebuild what `phrases_json` wrote."""
    levels = tuple(LevelPhrase(tuple(w.split(" ")), f, x) for w, f, x in content["levels"])
    ranges = tuple(
        RangePhrase(tuple(w.split(" ")), int(s), float(a), float(b))
        for w, s, a, b in content["ranges"]
    )
    return levels, ranges
