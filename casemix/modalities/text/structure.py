"""Structure of notes: how long they are, which sections they have, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from casemix.evaluation.statistics import FloatArray
from casemix.modalities.text.tokens import lines, words

LENGTHS = ("words", "sentences", "words_per_sentence")
_START, _END = "^", "$"
_SECTION_SHARE = 0.05  # of the notes of both arms; rarer headers say little


@dataclass(frozen=True)
class Structure:
    """What the notes of one arm look like.

    Attributes:
        lengths: (n, 3) words, sentences and words per sentence of each note.
        sections: (n, s) whether a note has the section.
        steps: (n, t) how often a section follows another; the beginning and the end count too.
    """

    lengths: FloatArray
    sections: FloatArray
    steps: FloatArray

    def take(self, rows: npt.NDArray[np.int64]) -> Structure:
        """Return the notes at these positions."""
        return Structure(self.lengths[rows], self.sections[rows], self.steps[rows])


def structures(real: Sequence[str], synthetic: Sequence[str]) -> tuple[Structure, Structure]:
    """Return the structure of real and of synthetic notes, with the same columns.

    Sections are the headers of at least 5 % of all notes together; a note of one block has none.
    """
    arms = [[_headers(note) for note in notes] for notes in (real, synthetic)]
    everyone = [headers for arm in arms for headers in arm]
    often = Counter(h for headers in everyone for h in set(headers))
    known = sorted(h for h, n in often.items() if n >= _SECTION_SHARE * len(everyone))
    kept = [[[h for h in headers if h in known] for headers in arm] for arm in arms]
    walks = [[list(pairwise([_START, *hs, _END])) for hs in arm] for arm in kept]
    steps = sorted({step for arm in walks for walk in arm for step in walk})
    first, second = (
        Structure(_lengths(notes), np.minimum(_counts(has, known), 1), _counts(walk, steps))
        for notes, has, walk in zip((real, synthetic), kept, walks, strict=True)
    )
    return first, second


def structure_distances(real: Structure, synthetic: Structure) -> dict[str, float]:
    """Return how far two arms' structures are apart, each in [0, 1]; 0 = alike.

    Kolmogorov-Smirnov distances of the lengths; the mean difference of the shares of notes with a
    section; the total variation distance of which section follows which. The last two are left
    out where no note has sections.
    """
    found = {
        name: kolmogorov_smirnov(a, b)
        for name, a, b in zip(LENGTHS, real.lengths.T, synthetic.lengths.T, strict=True)
    }
    if real.sections.shape[1]:
        present = np.abs(real.sections.mean(axis=0) - synthetic.sections.mean(axis=0))
        found["section_presence"] = float(present.mean())
        steps = [arm.steps.sum(axis=0) / arm.steps.sum() for arm in (real, synthetic)]
        found["section_order"] = float(np.abs(steps[0] - steps[1]).sum() / 2)
    return found


def kolmogorov_smirnov(a: FloatArray, b: FloatArray) -> float:
    """Return the largest difference of the distribution functions of (n,) and (m,) values."""
    grid = np.concatenate([a, b])
    shares = [np.searchsorted(np.sort(x), grid, side="right") / len(x) for x in (a, b)]
    return float(np.abs(shares[0] - shares[1]).max())


def _headers(note: str) -> list[str]:
    return [line.header for line in lines(note) if line.header]


def _lengths(notes: Sequence[str]) -> FloatArray:
    rows = []
    for note in notes:
        spoken = sum(w[0].isalnum() or w == "#" for w in words(note))
        sentences = sum(len(line.sentences) for line in lines(note))
        rows.append((spoken, sentences, spoken / max(sentences, 1)))
    return np.array(rows, dtype=np.float64).reshape(len(notes), len(LENGTHS))


def _counts(rows: Sequence[Sequence[object]], columns: Sequence[object]) -> FloatArray:
    position = {column: j for j, column in enumerate(columns)}
    counts = np.zeros((len(rows), len(columns)))
    for i, row in enumerate(rows):
        for item in row:
            counts[i, position[item]] += 1
    return counts
