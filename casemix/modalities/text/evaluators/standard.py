"""Notes seen through their length, sections and recurring numbers, and a TF-IDF + SVD embedder."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from casemix.core import artifact
from casemix.core.evaluator import Evaluator
from casemix.core.fields import Schema
from casemix.core.metric import Metric
from casemix.core.samples import Samples
from casemix.errors import FitError
from casemix.modalities.text.embed import NoteEmbedder
from casemix.modalities.text.findings import NoteFindings
from casemix.modalities.text.metrics import METRICS
from casemix.modalities.text.statements import NoteStatements

NAME = "text/standard"


class Standard(Evaluator):
    """The standard view of notes."""

    modality: ClassVar[str] = "text"
    reads_encoder: ClassVar[bool] = True
    embedder: ClassVar[str] = "TF-IDF of words and word pairs + SVD-32 (latent semantic analysis)"

    def __init__(self) -> None:
        self._found: NoteFindings | None = None
        self._stated: NoteStatements | None = None
        self._embedder: NoteEmbedder | None = None

    def fit(self, train: Samples, *, seed: int) -> Self:
        """Learn vocabulary, axes, recurring numbers and sections, and what notes state."""
        self._stated = NoteStatements.fit(train.payload.texts)
        self._found = NoteFindings.fit(train.payload.texts)
        self._embedder = NoteEmbedder.fit(train.payload.texts, seed=seed)
        return self

    @property
    def findings_schema(self) -> Schema:
        """Words, sentences, negations, recurring numbers, and which sections there are."""
        return self._learnt()[0].schema

    def findings(self, samples: Samples) -> pd.DataFrame:
        """Return the findings of each note."""
        found = self._learnt()[0].of(samples.payload.texts)
        return found.set_axis(samples.index.index, axis=0)

    def embed(self, samples: Samples) -> np.ndarray:
        """Return float32 (n, k)."""
        return self._learnt()[1].embed(samples.payload.texts)

    def statements(self, samples: Samples) -> pd.DataFrame:
        """Return asserted findings, sides, units and the order of dates; see `NoteStatements`."""
        self._learnt()
        assert self._stated is not None
        return self._stated.of(samples.payload.texts).set_axis(samples.index.index, axis=0)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """See `Evaluator.metrics`."""
        return METRICS

    def save(self, folder: Path) -> None:
        """Write vocabulary, axes and findings."""
        found, embedder = self._learnt()
        with artifact.writing(folder, NAME) as draft:
            embedder.write(draft)
            draft.json("findings", found.to_json())
            draft.json("statements", self._stated.to_json() if self._stated else {})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        saved = artifact.reading(folder, NAME)
        made = cls()
        made._found = NoteFindings.from_json(saved.json("findings"))
        made._stated = NoteStatements.from_json(saved.json("statements"))
        made._embedder = NoteEmbedder.read(saved)
        return made

    def _learnt(self) -> tuple[NoteFindings, NoteEmbedder]:
        if self._found is None or self._embedder is None:
            raise FitError("The text evaluator is not fitted.", next_step="Call fit, or load one.")
        return self._found, self._embedder
