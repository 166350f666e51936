"""The standard evaluator of linked tables: counts, levels and numbers per subject."""

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
from casemix.modalities.relational.embed import Embedder
from casemix.modalities.relational.metrics import METRICS

_NAME = "relational/standard"


class Standard(Evaluator):
    """Findings of `Findings` per subject, and the embedding of `Embedder`."""

    modality: ClassVar[str] = "relational"
    embedder: ClassVar[str] = "counts, levels, numbers and times per table + whitened PCA-16"

    def __init__(self) -> None:
        self.fitted: Embedder | None = None

    def fit(self, train: Samples, *, seed: int) -> Self:
        """Fit the embedder (see `Evaluator.fit`); nothing in it is random."""
        self.fitted = Embedder.fit(train.payload)
        return self

    @property
    def findings_schema(self) -> Schema:
        """The findings as ``relational.<table>. ...``."""
        return self._fitted().findings.schema

    def findings(self, samples: Samples) -> pd.DataFrame:
        """Return counts, levels, numbers and times per table, index = sample ids."""
        found = self._fitted().findings.of(samples.payload)
        return found.set_axis(samples.index.index, axis=0)

    def embed(self, samples: Samples) -> np.ndarray:
        """Return float32 vectors, (n, d), d <= 16."""
        return self._fitted().embed(samples.payload)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Keys, numbers of children, columns, dependence, times, copies."""
        return METRICS

    def save(self, folder: Path) -> None:
        """Write the fitted embedder."""
        fitted = self._fitted()
        with artifact.writing(folder, _NAME) as draft:
            draft.json("findings", fitted.findings.to_json())
            draft.arrays("embedder", fitted.arrays())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved evaluator (see `Evaluator.load`)."""
        saved = artifact.reading(folder, _NAME)
        evaluator = cls()
        evaluator.fitted = Embedder.from_saved(saved.json("findings"), saved.arrays("embedder"))
        return evaluator

    def _fitted(self) -> Embedder:
        if self.fitted is None:
            raise FitError(f"{_NAME} is not fitted.", next_step="Call fit, or load a saved one.")
        return self.fitted
