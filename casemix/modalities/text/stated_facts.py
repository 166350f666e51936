"""What notes state of their own subject's record, and whether the record agrees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from casemix.core.conditions import Conditions
from casemix.core.fields import Kind, Schema
from casemix.errors import EvaluationError
from casemix.evaluation.statistics import FloatArray, bootstrap_weights, percentile_interval
from casemix.modalities.text.level_wordings import LevelWordings
from casemix.modalities.text.slots import Slots
from casemix.modalities.text.tokens import lines

_FEWEST = 20  # training notes
_MOSTLY = 0.5  # of the notes of subjects of whom a fact is recorded: then a note should state it
_FEWEST_USUAL = 5  # of those notes
_NUMBER = "#"

_Kind = tuple[str, str]  # a field and its level
_EXACTLY = 0.95  # of the training notes that repeat a number to the last digit
_NEAR = 0.15  # standard deviations of the stated numbers


@dataclass(frozen=True)
class Statements:
    """The facts of some notes that a record can confirm or deny.

    Attributes:
        stated: one row per stated fact: ``note`` (position), ``field``, ``said``,
            ``recorded`` and ``right``.
        expected: one row per recorded fact that most real notes state: ``note``, ``field`` and
            whether the note states it rightly, ``right``.
        n: number of notes.
    """

    stated: pd.DataFrame
    expected: pd.DataFrame
    n: int


@dataclass(frozen=True)
class RecordReader:
    """Reads notes against records, with wordings learnt from real training notes.

    Nothing of it comes from a generator: one that verifies its notes has no key to this reader.

    Args:
        slots: recurring numbers, and which recorded field each repeats.
        tolerances: (k,) how far a slot's number may be from the record.
        wordings: what states a level.
        schema: the fields that notes are known to state.
        usual: the (field, level) pairs, or (field, ``#``) for numbers, that most training notes
            state of subjects of whom they are recorded.
    """

    slots: Slots
    tolerances: tuple[float, ...]
    wordings: LevelWordings
    schema: Schema
    usual: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def fit(cls, notes: Sequence[str], records: pd.DataFrame, schema: Schema) -> RecordReader:
        """Learn how notes state their subjects' records; the schema is empty where they do not.

        Args:
            notes: real training notes.
            records: what is recorded of their subjects, in the same order.
            schema: the records' fields.

        Raises:
            EvaluationError: fewer than 20 notes.
        """
        if len(notes) < _FEWEST:
            raise EvaluationError(
                "There are too few training notes to learn what notes state.",
                given=f"{len(notes)} notes",
                allowed=f"at least {_FEWEST}",
                next_step="Evaluate on more subjects.",
            )
        rows = records.set_axis([f"note-{i}" for i in range(len(records))], axis=0)
        slots = Slots.fit(notes, Conditions.of(rows[list(schema.names)], schema))
        read = [slots.delexicalise(note) for note in notes]
        wordings = LevelWordings.fit([template for template, _ in read], records, schema)
        tolerances = _tolerances(slots, np.array([values for _, values in read]), records)
        stated = {p.field for p in wordings.phrases} | {s.source for s in slots if s.source}
        known = schema.pick(name for name in schema.names if name in stated)
        reader = cls(slots, tolerances, wordings, known)
        return replace(reader, usual=reader._usual(notes, records))

    def read(self, notes: Sequence[str], records: pd.DataFrame) -> Statements:
        """Hold notes against their own subjects' records, row by row."""
        stated, expected = [], []
        recorded = records[list(self.schema.names)].to_dict("records") or [{}] * len(notes)
        for i, (note, record) in enumerate(zip(notes, recorded, strict=True)):
            known = {str(name): value for name, value in record.items() if not pd.isna(value)}
            said = self.said(note).items()
            rows = [
                (i, name, value, known[name], abs(value - known[name]) <= within)
                if isinstance(value, float)
                else (i, name, value, known[name], value == known[name])
                for (name, value), within in said
                if name in known
            ]
            stated += rows
            right = {name for _, name, *_, agrees in rows if agrees}
            expected += [
                (i, name, name in right)
                for name, value in known.items()
                if self._kind(name, value) in self.usual
            ]
        facts = pd.DataFrame(stated, columns=["note", "field", "said", "recorded", "right"])
        usual = pd.DataFrame(expected, columns=["note", "field", "right"])
        return Statements(facts, usual, len(notes))

    def said(self, note: str) -> dict[tuple[str, float | str], float]:
        """Return the (field, value) pairs that a note states, each with its tolerance."""
        template, values = self.slots.delexicalise(note)
        found: dict[tuple[str, float | str], float] = {
            (slot.source, float(value)): within
            for slot, value, within in zip(self.slots, values, self.tolerances, strict=True)
            if slot.source and not np.isnan(value)
        }
        for sentence in (s for line in lines(template) for s in line.sentences):
            found |= dict.fromkeys(sorted(self.wordings.stated(sentence)), 0.0)
        return found

    def _usual(self, notes: Sequence[str], records: pd.DataFrame) -> frozenset[_Kind]:
        read = self.read(notes, records).stated
        right = read.loc[read["right"].astype(bool), ["field", "recorded"]]
        said = Counter(self._kind(name, value) for name, value in right.itertuples(index=False))
        there = Counter(
            self._kind(name, value)
            for name in self.schema.names
            for value in records[name].dropna()
        )
        often = (kind for kind, n in there.items() if n >= _FEWEST_USUAL)
        return frozenset(kind for kind in often if said[kind] >= _MOSTLY * there[kind])

    def _kind(self, name: str, value: float | str) -> _Kind:
        """Return a fact's field and level, or the field and ``#`` for any number."""
        return name, _NUMBER if self.schema[name].kind is Kind.NUMERIC else str(value)


def _tolerances(slots: Slots, values: FloatArray, records: pd.DataFrame) -> tuple[float, ...]:
    """Return half a last digit, or the wider tolerance by which the slot was tied to its field."""
    found = []
    for slot, numbers in zip(slots, values.T, strict=True):
        exact = 0.5 * 10.0**-slot.decimals + 1e-6
        if slot.source:
            gap = np.abs(numbers - records[slot.source].to_numpy(dtype=float))
            gap = gap[~np.isnan(gap)]
            if np.mean(gap <= exact) < _EXACTLY:
                exact = max(exact, _NEAR * float(np.nanstd(numbers)))
        found.append(exact)
    return tuple(found)


@dataclass(frozen=True)
class Rate:
    """A share of facts with its interval.

    Attributes:
        value: in [0, 1].
        interval: 95 %, subjects resampled; exact binomial where all facts are alike.
        facts: the facts behind it.
        by_field: the same share per field.
    """

    value: float
    interval: tuple[float, float]
    facts: int
    by_field: Mapping[str, float]


def rate(
    facts: pd.DataFrame, hit: str | pd.Series, subjects: np.ndarray, *, seed: int, fewest: int = 20
) -> Rate:
    """Return the share of facts that are hits.

    Args:
        facts: one row per fact, with ``note`` and ``field``.
        hit: a boolean column of it, or a boolean per fact.
        subjects: (n,) the subject of each note.
        seed: seed of the bootstrap.
        fewest: facts below which no share is given.

    Raises:
        EvaluationError: too few facts.
    """
    if len(facts) < fewest:
        raise EvaluationError(
            "The notes state too few facts of this kind.",
            given=f"{len(facts)} facts",
            allowed=f"at least {fewest}",
            next_step="Evaluate on more subjects, or record the fields that notes state.",
        )
    hits = (facts[hit] if isinstance(hit, str) else hit).to_numpy(dtype=np.float64)
    codes = np.unique(subjects.astype(str), return_inverse=True)[1]
    owner = codes[facts["note"].to_numpy(dtype=int)]
    count = int(codes.max()) + 1
    right, all_ = np.bincount(owner, hits, count), np.bincount(owner, minlength=count)
    weights = bootstrap_weights(count, seed=seed)
    with np.errstate(invalid="ignore"):
        low, high = percentile_interval((weights @ right) / (weights @ all_))
    low, high = _where_all_agree(float(hits.mean()), int(np.count_nonzero(all_))) or (low, high)
    by_field = pd.Series(hits).groupby(facts["field"].to_numpy()).mean()
    shares = {str(name): float(value) for name, value in by_field.items()}
    return Rate(float(hits.mean()), (low, high), len(facts), shares)


def _where_all_agree(share: float, subjects: int) -> tuple[float, float] | None:
    """Return the exact binomial interval over subjects of a share of 0 or 1, else nothing.

    Resampling facts that are all alike would give an interval without width.

    Reference:
        Clopper and Pearson, The use of confidence or fiducial limits, Biometrika 1934.
    """
    reach = 1 - 0.025 ** (1 / subjects)
    return (0.0, reach) if share == 0 else (1 - reach, 1.0) if share == 1 else None
