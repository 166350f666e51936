"""Wordings that go with one level of a recorded field, learnt from notes of known subjects.

Unlike the generators' `phrases`, a wording may be wrong at times, as records and notes of real
patients are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.stats import binom

from casemix.core.fields import LEVELLED, Schema
from casemix.evaluation.statistics import FloatArray
from casemix.modalities.text.phrases import END, START, Gram, LevelPhrase, gram_rows, grams

_FEWEST = 5  # notes with the wording whose level is recorded
_RIGHT = 0.95  # of them that have the level
_CHANCE = 0.01  # that any of the wordings tried goes with a level by chance
_MARKS = {START, END}


@dataclass(frozen=True)
class LevelWordings:
    """Runs of up to four words, each with the level that it states.

    Args:
        phrases: the shortest runs that state a level.
    """

    phrases: tuple[LevelPhrase, ...]
    _by_words: dict[Gram, list[LevelPhrase]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index: dict[Gram, list[LevelPhrase]] = defaultdict(list)
        for phrase in self.phrases:
            index[phrase.words].append(phrase)
        object.__setattr__(self, "_by_words", dict(index))

    @classmethod
    def fit(cls, notes: Sequence[str], records: pd.DataFrame, schema: Schema) -> LevelWordings:
        """Keep the runs of which 95 % of the notes have one level, more than by chance.

        A run counts if so many of its notes would have the level by chance with a probability
        below 1 %, all runs and levels of the field together (binomial test, Bonferroni).

        Args:
            notes: training notes.
            records: what is recorded of their subjects, in the same order.
            schema: the records' fields.
        """
        rows = gram_rows(notes)
        runs = list(rows)
        entries = np.concatenate([*rows.values(), np.zeros(0, dtype=int)]).astype(int)
        ends = np.cumsum([0, *(len(r) for r in rows.values())])
        has = csr_array((np.ones(len(entries)), entries, ends), shape=(len(runs), len(notes)))
        found: list[LevelPhrase] = []
        for f in schema:
            if f.kind in LEVELLED and runs:
                column = records[f.name].to_numpy(dtype=object)
                is_level = np.array([[v == level for level in f.levels] for v in column], float)
                for level, of_level in zip(f.levels, is_level.T, strict=True):
                    stating = _stating(runs, has, of_level, is_level.sum(axis=1), len(f.levels))
                    found += [LevelPhrase(run, f.name, level) for run in stating]
        return cls(tuple(found))

    def stated(self, sentence: str) -> set[tuple[str, str]]:
        """Return the (field, level) pairs that a sentence states.

        A run inside a longer one of the same field that states another level is not heard.
        """
        found = [p for run in grams(sentence) for p in self._by_words.get(run, ())]
        return {
            (p.field, p.level)
            for p in found
            if not any(
                q.field == p.field and q.level != p.level and _inside(p.words, q.words)
                for q in found
            )
        }


def _stating(
    runs: Sequence[Gram], has: csr_array, of_level: FloatArray, known: FloatArray, levels: int
) -> list[Gram]:
    """Return the runs that state a level, without those that hold a shorter one.

    A run that owes its level to a surer one is left out: "no history" says nothing of diabetes
    where its notes without "no history of dm" are like any others.

    Args:
        runs: r runs of words, shorter ones first.
        has: (r, n) which notes have them.
        of_level: (n,) 1 where the level is recorded.
        known: (n,) 1 where any level is.
        levels: how many levels are tried.
    """
    right, seen = has @ of_level, has @ known  # (r,)
    share = of_level.sum() / max(known.sum(), 1.0)
    chance = binom.sf(right - 1, seen, share) * len(runs) * levels
    sure = np.flatnonzero(
        (seen >= _FEWEST) & (right >= _RIGHT * seen) & (chance < _CHANCE)
    ).tolist()
    kept: dict[Gram, None] = {}
    for i in sure:
        surer = [
            j
            for j in sure
            if right[j] * seen[i] > right[i] * seen[j] and set(runs[i]) & set(runs[j]) - _MARKS
        ]
        alone = has[[i]].toarray()[0] * (has[surer].sum(axis=0) == 0)  # (n,)
        left = float(alone @ known)
        owing = surer and left >= _FEWEST and float(alone @ of_level) < _RIGHT * left
        if not owing and not any(part in kept for part in _parts(runs[i])):
            kept[runs[i]] = None
    return list(kept)


def _parts(run: Gram) -> list[Gram]:
    return [
        run[i:j] for i in range(len(run)) for j in range(i + 1, len(run) + 1) if j - i < len(run)
    ]


def _inside(part: Gram, whole: Gram) -> bool:
    return len(part) < len(whole) and part in _parts(whole)
