"""Sentences of notes about similar patients, with the facts filled in: fast, and no network."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from casemix.core import artifact, seeding
from casemix.core.conditions import ALL_KINDS, Conditions, check_honoured
from casemix.core.encoding import ConditionEncoder
from casemix.core.fields import Kind, Schema
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.errors import FitError
from casemix.modalities.text.data import Notes
from casemix.modalities.text.neighbours import Neighbours
from casemix.modalities.text.realise import Realiser
from casemix.modalities.text.tokens import Line, join, lines

NAME = "text/template"


@dataclass(frozen=True)
class Config:
    """Settings of `Template`.

    Args:
        neighbours: training notes about the most similar patients that lend sentences.
    """

    neighbours: int = 12


class Template(Generator):
    """A grammar of the training notes: each section is borrowed from a similar patient's note.

    Numbers are slots and are filled from the facts; sentences that contradict a condition are
    replaced or left out. It writes whole training sentences, so it is a floor for fluency and
    a poor choice for privacy.
    """

    modality: ClassVar[str] = "text"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.schema = self.record_schema = Schema()
        self.bare: tuple[str, ...] = ()
        self.realiser: Realiser | None = None
        self.near: Neighbours | None = None

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Learn slots and phrases, and keep the notes without their numbers."""
        if given.sample_ids != list(data.sample_ids):
            raise FitError("The conditions belong to other rows than the notes.")
        check_honoured(given.schema, self.honours, NAME)
        self.schema, self.record_schema = given.schema, data.schema
        self.realiser = Realiser.fit(data.payload.texts, given)
        self.bare = tuple(self.realiser.slots.take_out(t) for t in data.payload.texts)
        self.near = Neighbours.fit(given)
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Write one note per row."""
        if self.realiser is None or self.near is None:
            raise FitError(f"{NAME} is not fitted.", next_step="Call fit, or load a saved model.")
        given = given.align(self.schema)
        near = self.near.nearest(given, self.config.neighbours)
        u = seeding.uniform(seed, given.sample_ids, 33, stream="template")
        drafts = [self._draft(rows, draws) for rows, draws in zip(near, u, strict=True)]
        values = self.realiser.slots.values(given, seed=seeding.child(seed, "slots"))
        notes, _ = self.realiser.finish(drafts, given, values, seed=seeding.child(seed, "repair"))
        return Samples.answering("text", given, Notes(tuple(notes)), self.record_schema)

    def _draft(self, rows: np.ndarray, u: np.ndarray) -> str:
        """Return one neighbour's sections, each with the sentences of any neighbour."""
        notes = [lines(self.bare[i]) for i in rows]
        frame = notes[int(u[0] * len(notes))]
        parts = []
        for k, part in enumerate(frame):
            same = [p for note in notes for p in note if p.header and p.header == part.header]
            lender = same[int(u[1 + k % 32] * len(same))] if same else part
            parts.append(Line(part.header, lender.sentences))
        return join(parts)

    def save(self, folder: Path) -> None:
        """Write the sentences without their numbers, slots and phrases."""
        if self.realiser is None or self.near is None:
            raise FitError(f"{NAME} is not fitted, so there is nothing to save.")
        with artifact.writing(folder, NAME) as draft:
            draft.arrays(
                "arrays",
                {
                    **self.realiser.slots.arrays(),
                    "values": self.near.values,
                    "known": self.near.known,
                },
            )
            content = {
                "config": asdict(self.config),
                "schema": self.schema.to_json(),
                "record_schema": self.record_schema.to_json(),
                "bare": list(self.bare),
                "realiser": self.realiser.to_json(),
                "encoder": self.near.encoder.to_json(),
            }
            draft.json("template", content)

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read what `save` wrote."""
        saved = artifact.reading(folder, NAME)
        content, arrays = saved.json("template"), saved.arrays("arrays")
        made = cls(Config(**content["config"]))
        made.schema = Schema.from_json(content["schema"])
        made.record_schema = Schema.from_json(content["record_schema"])
        made.bare = tuple(content["bare"])
        made.realiser = Realiser.from_json(content["realiser"], arrays)
        encoder = ConditionEncoder.from_json(content["encoder"])
        made.near = Neighbours(encoder, arrays["values"], arrays["known"])
        return made

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance with few neighbours."""
        return cls(Config(neighbours=4))
