"""Runs of words: what a note repeats, what it shares with other notes, and what is copied.

Words are compared in lower case without punctuation, numbers as they are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from casemix.evaluation.statistics import FloatArray, IntArray
from casemix.modalities.text.tokens import TOKEN

LONGEST = 64  # words; a longer shared run counts as this long
_MOST_WORDS = 500  # of a note that are read
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that a run's hash keeps all of its words

_Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class WordRows:
    """Notes as one array of hashed words.

    Args:
        hashes: (t,) hash of each word, note after note.
        note: (t,) the note of each word.
        left: (t,) words from this one to the end of its note.
        n: number of notes.
    """

    hashes: _Hashes
    note: IntArray
    left: IntArray
    n: int

    @classmethod
    def of(cls, *arms: Sequence[str]) -> tuple[WordRows, ...]:
        """Read the first 500 words of each note; arms read together share their hashes."""
        read = [[_spoken(note) for note in notes] for notes in arms]
        known = sorted({word for arm in read for note in arm for word in note})
        drawn = np.random.default_rng(0).integers(2**63, size=len(known), dtype=np.uint64)
        table = dict(zip(known, drawn.tolist(), strict=True))
        return tuple(cls._rows(arm, table) for arm in read)

    @classmethod
    def _rows(cls, notes: Sequence[Sequence[str]], table: dict[str, int]) -> WordRows:
        sizes = np.array([len(note) for note in notes], dtype=np.int64)
        hashes = np.array([table[w] for note in notes for w in note], dtype=np.uint64)
        ends = np.repeat(np.cumsum(sizes), sizes)
        left = ends - np.arange(len(hashes))
        return cls(hashes, np.repeat(np.arange(len(notes)), sizes), left, len(notes))

    def runs(self, size: int) -> tuple[_Hashes, IntArray]:
        """Return the hash and the note of every run of ``size`` words."""
        start = np.flatnonzero(self.left >= size)
        found = np.zeros(len(start), dtype=np.uint64)
        for k in range(size):
            found = found * _FACTOR + self.hashes[start + k]
        return found, self.note[start]


def _spoken(note: str) -> list[str]:
    return [t.lower() for t in TOKEN.findall(note) if t[0].isalnum()][:_MOST_WORDS]


def repeated_share(notes: WordRows, *, size: int = 4) -> FloatArray:
    """Return the share of each note's runs that the note has had before, (n,).

    NaN where a note is shorter than ``size`` words.

    Reference:
        Welleck et al., Neural text generation with unlikelihood training, ICLR 2020 (seq-rep-n).
    """
    runs, note = notes.runs(size)
    different = np.unique(np.stack([note.astype(np.uint64), runs]), axis=1)[0].astype(np.int64)
    said = np.bincount(note, minlength=notes.n)
    return _ratio(said - np.bincount(different, minlength=notes.n), said)


def shared_share(notes: WordRows, subjects: npt.ArrayLike, *, size: int = 8) -> FloatArray:
    """Return the share of each note's runs that a note of another subject has too, (n,).

    NaN where a note is shorter than ``size`` words. It grows with the number of notes: compare
    arms of equal size.

    Args:
        notes: n notes.
        subjects: (n,) the subject of each note.
        size: words of a run.
    """
    runs, note = notes.runs(size)
    owner = np.unique(np.asarray(subjects).astype(str), return_inverse=True)[1]
    _, which = np.unique(runs, return_inverse=True)
    pairs = np.unique(np.stack([which, owner[note]]), axis=1)[0]
    shared = np.bincount(pairs, minlength=int(which.max(initial=-1)) + 1)[which] > 1
    said = np.bincount(note, minlength=notes.n)
    return _ratio(np.bincount(note, shared, minlength=notes.n), said)


def novel_share(notes: WordRows, train: WordRows, *, size: int = 8) -> FloatArray:
    """Return the share of each note's runs that no training note has, (n,).

    NaN where a note is shorter than ``size`` words. Both must be read together (`WordRows.of`).
    """
    runs, note = notes.runs(size)
    novel = ~np.isin(runs, train.runs(size)[0])
    return _ratio(np.bincount(note, novel, minlength=notes.n), np.bincount(note, minlength=notes.n))


def longest_shared(notes: WordRows, train: WordRows) -> IntArray:
    """Return the words of each note's longest run that a training note has too, (n,), at most 64.

    Both must be read together (`WordRows.of`).
    """
    longest = np.zeros(notes.n, dtype=np.int64)
    sides = [
        _Growing(side, np.arange(len(side.hashes)), side.hashes * 0) for side in (notes, train)
    ]
    for size in range(1, LONGEST + 1):
        mine, theirs = (side.longer(size) for side in sides)
        # Only where a run is shared can a longer one be.
        sides = [mine.within(theirs), theirs.within(mine)]
        if not len(sides[0].start):
            break
        longest[notes.note[sides[0].start]] = size
    return longest


@dataclass(frozen=True)
class _Growing:
    """Runs of one size that may still grow."""

    rows: WordRows
    start: IntArray
    hashes: _Hashes

    def longer(self, size: int) -> _Growing:
        """Return the runs of this size, one word longer, that end inside their note."""
        room = self.rows.left[self.start] >= size
        start = self.start[room]
        grown = self.hashes[room] * _FACTOR + self.rows.hashes[start + size - 1]
        return _Growing(self.rows, start, grown)

    def within(self, other: _Growing) -> _Growing:
        """Return the runs that the other side has too."""
        kept = np.isin(self.hashes, other.hashes)
        return _Growing(self.rows, self.start[kept], self.hashes[kept])


def _ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> FloatArray:
    counts = np.asarray(whole, dtype=np.float64)
    share: FloatArray = np.where(counts > 0, part / np.maximum(counts, 1), np.nan)
    return share
