"""An interpolated Kneser-Ney word model: how surprising a note is to one who read real notes."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import FloatArray
from casemix.modalities.text.tokens import words

_ORDER = 5
_BEGIN, _END, _RARE, _BREAK = "<s>", "</s>", "<rare>", "\n"
_FEWEST = 20  # training notes
_MOST_WORDS = 500  # of a note that are read
_USUAL_DISCOUNT = 0.75  # where too few n-grams are seen once or twice to estimate it

Gram = tuple[str, ...]


def note_words(note: str) -> list[str]:
    """Return at most 500 words and marks of a note in lower case, numbers as ``#``."""
    lines = (part for line in note.split("\n") for part in (*words(line), _BREAK))
    return list(lines)[:-1][:_MOST_WORDS]


@dataclass(frozen=True)
class WordModel:
    """Word n-grams of training notes with interpolated absolute discounting.

    Lower orders count in how many contexts a word stands, not how often (Kneser and Ney). A word
    of a single training note counts as a rare word, so that unseen words have a probability.

    Args:
        vocabulary: the words of at least two training notes, and the marks of end and rare words.
        followers: per order, context -> word -> count; the context has ``order - 1`` words.
        discounts: per order, what each count lends to the lower order, in (0, 1).

    Reference:
        Chen and Goodman, An empirical study of smoothing techniques for language modeling,
        Computer Speech and Language 1999, section 2.7.
    """

    vocabulary: frozenset[str]
    followers: tuple[Mapping[Gram, Mapping[str, int]], ...]
    discounts: tuple[float, ...]
    _totals: tuple[dict[Gram, int], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        totals = tuple(
            {context: sum(counts.values()) for context, counts in table.items()}
            for table in self.followers
        )
        object.__setattr__(self, "_totals", totals)

    @classmethod
    def fit(cls, notes: Sequence[str], *, order: int = _ORDER) -> WordModel:
        """Count the n-grams of training notes.

        Args:
            notes: training notes.
            order: longest n-gram, in words.

        Raises:
            EvaluationError: fewer than 20 notes.
        """
        if len(notes) < _FEWEST:
            raise EvaluationError(
                "There are too few training notes for a language model.",
                given=f"{len(notes)} notes",
                allowed=f"at least {_FEWEST}",
                next_step="Evaluate on more subjects.",
            )
        read = [note_words(note) for note in notes]
        spread = Counter(word for spoken in read for word in set(spoken))
        known = frozenset({w for w, n in spread.items() if n > 1} | {_END, _RARE})
        sequences = [_marked(spoken, known) for spoken in read]
        tables = [_table(grams) for grams in _counted(sequences, order)]
        return cls(known, tuple(tables), tuple(_discount(table) for table in tables))

    def probability(self, word: str, context: Gram) -> float:
        """Return the probability of a word after a context, both of `vocabulary` or ``<s>``."""
        chance = 1.0 / len(self.vocabulary)
        for size in range(min(len(context) + 1, len(self.followers))):
            before = context[len(context) - size :]
            counts = self.followers[size].get(before)
            if counts is None:  # longer contexts are not known either
                break
            total, discount = self._totals[size][before], self.discounts[size]
            kept = max(counts.get(word, 0) - discount, 0.0)
            chance = (kept + discount * len(counts) * chance) / total
        return chance

    def bits(self, note: str) -> float:
        """Return the mean surprise per word of a note, in bits; its perplexity is 2 to that."""
        sequence = _marked(note_words(note), self.vocabulary)
        reach = len(self.followers) - 1
        total = 0.0
        for i in range(1, len(sequence)):
            context = tuple(sequence[max(0, i - reach) : i])
            total -= math.log2(self.probability(sequence[i], context))
        return total / (len(sequence) - 1)

    def bits_of(self, notes: Iterable[str]) -> FloatArray:
        """Return `bits` of each note, (n,)."""
        return np.array([self.bits(note) for note in notes], dtype=np.float64)


def _marked(spoken: Sequence[str], known: frozenset[str]) -> list[str]:
    return [_BEGIN, *(w if w in known else _RARE for w in spoken), _END]


def _counted(sequences: Sequence[Sequence[str]], order: int) -> list[Counter[Gram]]:
    """Return the counts of each order: occurrences of the longest, left neighbours of the others.

    What stands at the beginning has no left neighbour and is counted by occurrence.
    """
    seen: list[Counter[Gram]] = [
        Counter(tuple(s[i : i + size]) for s in sequences for i in range(len(s) - size + 1))
        for size in range(1, order + 1)
    ]
    counted = []
    for shorter, longer in pairwise(seen):
        counts = Counter(gram[1:] for gram in longer)
        counts.update({g: n for g, n in shorter.items() if g[0] == _BEGIN and len(g) > 1})
        counted.append(counts)
    return [*counted, Counter({g: n for g, n in seen[-1].items() if g != (_BEGIN,)})]


def _table(counts: Mapping[Gram, int]) -> dict[Gram, dict[str, int]]:
    table: dict[Gram, dict[str, int]] = defaultdict(dict)
    for gram, count in counts.items():
        table[gram[:-1]][gram[-1]] = count
    return dict(table)


def _discount(table: Mapping[Gram, Mapping[str, int]]) -> float:
    """Return the discount of Ney, Essen and Kneser (1994), from n-grams seen once and twice."""
    often = Counter(n for counts in table.values() for n in counts.values())
    if not (often[1] and often[2]):
        return _USUAL_DISCOUNT
    return often[1] / (often[1] + 2 * often[2])
