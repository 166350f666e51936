"""From a drafted note to one that agrees with its facts: check, replace, fill in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from casemix.core import seeding
from casemix.core.conditions import Conditions
from casemix.core.fields import LEVELLED
from casemix.modalities.text.phrases import Phrases
from casemix.modalities.text.slots import Slots
from casemix.modalities.text.tokens import Line, join, lines


@dataclass(frozen=True)
class Realiser:
    """Verifies and repairs notes whose numbers are slots.

    Args:
        slots: the recurring numbers.
        phrases: what phrases state.
        pool: section header -> sentences of training notes (numbers as slots), each seen in two
            notes at least, so that nobody's own sentence is among them.
    """

    slots: Slots
    phrases: Phrases
    pool: Mapping[str, Sequence[str]]

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        given: Conditions,
        lexicon: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    ) -> Realiser:
        """Learn slots, phrases and the pool of sentences from training notes."""
        slots = Slots.fit(texts, given)
        bare = [slots.take_out(text) for text in texts]
        counts: dict[tuple[str, str], int] = defaultdict(int)
        for note in bare:
            for pair in {(part.header, s) for part in lines(note) for s in part.sentences}:
                counts[pair] += 1
        pool: dict[str, list[str]] = defaultdict(list)
        for (header, sentence), count in sorted(counts.items()):
            if count >= 2:
                pool[header].append(sentence)
        return cls(slots, Phrases.fit(bare, given, lexicon), dict(pool))

    def facts(self, given: Conditions) -> list[dict[str, Any]]:
        """Return the known levels of each row."""
        names = [f.name for f in given.schema if f.kind in LEVELLED]
        return given.rows[names].to_dict("records")

    def faults(self, note: str, facts: Mapping[str, Any], values: np.ndarray) -> int:
        """Return how many sentences of a drafted note cannot stay."""
        sentences = [s for part in lines(note) for s in part.sentences]
        return sum(self._cannot_stay(s, facts, values) for s in sentences)

    def finish(
        self, notes: Sequence[str], given: Conditions, values: np.ndarray, *, seed: int
    ) -> tuple[list[str], int]:
        """Return the notes with sentences that cannot stay replaced or left out, slots filled.

        Args:
            notes: drafts with slots, one per row.
            given: the rows' conditions.
            values: the slots' values, (n, slots).
            seed: seed of the choice of replacements.

        Returns:
            The notes, and how many sentences were replaced or left out.
        """
        finished, mended = [], 0
        draws = seeding.uniform(seed, given.sample_ids, 64, stream="repair")
        for note, facts, row, u in zip(notes, self.facts(given), values, draws, strict=True):
            parts = []
            for part in lines(note):
                kept = []
                for k, sentence in enumerate(part.sentences):
                    if not self._cannot_stay(sentence, facts, row):
                        kept.append(sentence)
                        continue
                    mended += 1
                    kept += self._instead(
                        sentence, part.header, facts, row, u[(k + len(parts)) % 64]
                    )
                parts.append(Line(part.header, tuple(self.slots.put_in(s, row) for s in kept)))
            finished.append(join(parts))
        return finished, mended

    def _cannot_stay(self, sentence: str, facts: Mapping[str, Any], values: np.ndarray) -> bool:
        return self.slots.missing_in(sentence, values) or self.phrases.contradicts(sentence, facts)

    def _instead(
        self, sentence: str, header: str, facts: Mapping[str, Any], values: np.ndarray, u: float
    ) -> list[str]:
        """Return a sentence of the pool that states the same fields rightly, or nothing."""
        wrong = self.phrases.stated(sentence)
        right = [
            other
            for other in self.pool.get(header, ())
            if not self._cannot_stay(other, facts, values)
            and set(wrong) & set(self.phrases.stated(other))
        ]
        return [right[int(u * len(right))]] if right else []

    def to_json(self) -> dict[str, Any]:
        """Return what is not an array, JSON-ready."""
        return {
            "slots": self.slots.to_json(),
            "phrases": self.phrases.to_json(),
            "pool": {header: list(sentences) for header, sentences in self.pool.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Realiser:
        """Rebuild what `to_json` and `Slots.arrays` returned."""
        slots = Slots.from_json(content["slots"], arrays)
        return cls(slots, Phrases.from_json(content["phrases"]), content["pool"])
