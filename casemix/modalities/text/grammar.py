"""A chain of training sentences: what follows what, in which section, and for whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from casemix.modalities.text.facts import FactReader, Reading
from casemix.modalities.text.realise import Plan
from casemix.modalities.text.tokens import Line, join, lines

_BEGIN, _END = -1, -2


_ALIKE = 8  # training notes


@dataclass(frozen=True)
class Piece:
    """A sentence with its section; ``first`` where it opens a line."""

    header: str
    sentence: str
    first: bool


@dataclass(frozen=True)
class Grammar:
    """The training notes as sequences of shared pieces.

    Args:
        pieces: the distinct pieces.
        notes: per training note, the positions of its pieces.
        readings: what each piece says.
        features: the training notes' plan features, float32 (n, d).
        width: kernel width on the features.
    """

    pieces: tuple[Piece, ...]
    notes: tuple[tuple[int, ...], ...]
    readings: tuple[Reading, ...]
    features: np.ndarray
    width: float

    @classmethod
    def fit(cls, templates: Sequence[str], features: np.ndarray, reader: FactReader) -> Grammar:
        """Cut the training notes into pieces."""
        index: dict[Piece, int] = {}
        notes = tuple(
            tuple(index.setdefault(piece, len(index)) for piece in _cut(t)) for t in templates
        )
        return cls._of(tuple(index), notes, features, reader)

    @classmethod
    def _of(
        cls,
        pieces: tuple[Piece, ...],
        notes: tuple[tuple[int, ...], ...],
        features: np.ndarray,
        reader: FactReader,
    ) -> Grammar:
        readings = tuple(reader.read(p.sentence) for p in pieces)
        return cls(pieces, notes, readings, features, _width(features))

    @property
    def longest(self) -> int:
        """Pieces of the longest training note."""
        return max(map(len, self.notes))

    def followers(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Return piece -> (training notes in which it stands, the piece that follows there)."""
        found: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for row, note in enumerate(self.notes):
            for piece, after in zip((_BEGIN, *note), (*note, _END), strict=True):
                found[piece].append((row, after))
        return {
            piece: (np.array([r for r, _ in pairs]), np.array([a for _, a in pairs]))
            for piece, pairs in found.items()
        }

    def weights(self, features: np.ndarray) -> np.ndarray:
        """Return how near one plan is to each training note's, float64 (n,)."""
        distance = ((self.features - features).astype(np.float64) ** 2).sum(axis=1)
        # The nearest notes count alike: else a patient like one in training gets that one's note.
        alike = min(_ALIKE, len(distance))
        beyond = np.maximum(distance - np.partition(distance, alike - 1)[alike - 1], 0.0)
        return np.exp(-beyond / (2 * self.width**2)) + 1e-12

    def write(
        self,
        plan: Plan,
        weights: np.ndarray,
        noise: np.ndarray,
        followers: Mapping[int, tuple[np.ndarray, np.ndarray]],
    ) -> str:
        """Return a delexicalised note: each piece follows as it did in a similar patient's note.

        Args:
            plan: what the note is to say.
            weights: see `weights`.
            noise: uniform numbers, one per piece, (longest,).
            followers: see `followers`.
        """
        wrong = np.array([any(plan.denies(r, plan.levels)) for r in self.readings], dtype=bool)
        piece, chosen = _BEGIN, []
        for u in noise:
            rows, after = followers[piece]
            good = (after < 0) | ~wrong[np.maximum(after, 0)] if len(wrong) else after < 0
            chance = weights[rows] * (good if good.any() else 1.0)
            steps = np.cumsum(chance)
            piece = int(after[min(int(np.searchsorted(steps, u * steps[-1])), len(after) - 1)])
            if piece == _END:
                break
            chosen.append(self.pieces[piece])
        return _note(chosen)

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready content; the features are kept apart."""
        return {
            "pieces": [[p.header, p.sentence, p.first] for p in self.pieces],
            "notes": [list(note) for note in self.notes],
        }

    @classmethod
    def restore(
        cls, content: Mapping[str, Any], features: np.ndarray, reader: FactReader
    ) -> Grammar:
        """Rebuild what `to_json` returned."""
        pieces = tuple(Piece(h, s, bool(first)) for h, s, first in content["pieces"])
        return cls._of(pieces, tuple(map(tuple, content["notes"])), features, reader)


def _cut(template: str) -> list[Piece]:
    return [
        Piece(line.header, sentence, at == 0)
        for line in lines(template)
        for at, sentence in enumerate(line.sentences)
    ]


def _note(pieces: Sequence[Piece]) -> str:
    parts: list[Line] = []
    for piece in pieces:
        if piece.first or not parts or parts[-1].header != piece.header:
            parts.append(Line(piece.header, ()))
        parts[-1] = Line(piece.header, (*parts[-1].sentences, piece.sentence))
    return join(parts)


def _width(features: np.ndarray) -> float:
    """Return the median distance to the nearest other training note."""
    x = features.astype(np.float64)
    squares = (x**2).sum(axis=1)
    distance = squares[:, None] + squares - 2 * x @ x.T
    np.fill_diagonal(distance, np.inf)
    return float(max(np.sqrt(np.maximum(np.median(distance.min(axis=1)), 0.0)), 1e-6)) / 2
