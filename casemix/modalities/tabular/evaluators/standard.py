"""The standard evaluator of tables: the columns as findings, and a whitened PCA of them."""

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
from casemix.modalities.tabular.embed import Embedder
from casemix.modalities.tabular.findings import findings, findings_schema
from casemix.modalities.tabular.metrics import METRICS

_NAME = "tabular/standard"


class Standard(Evaluator):
    """Columns as findings ``tabular.<column>``, and the embedding of `Embedder`."""

    modality: ClassVar[str] = "tabular"
    embedder: ClassVar[str] = "normal scores, levels and missingness + whitened PCA-16"

    def __init__(self) -> None:
        self.fitted: Embedder | None = None

    def fit(self, train: Samples, *, seed: int) -> Self:
        """Fit the embedder (see `Evaluator.fit`); nothing in it is random."""
        self.fitted = Embedder.fit(train.payload.frame, train.payload.schema)
        return self

    @property
    def findings_schema(self) -> Schema:
        """The columns as ``tabular.<column>``."""
        return findings_schema(self._fitted().schema)

    def findings(self, samples: Samples) -> pd.DataFrame:
        """Return the columns as findings, index = sample ids."""
        return findings(samples)

    def embed(self, samples: Samples) -> np.ndarray:
        """Return float32 vectors, (n, d), d <= 16."""
        return self._fitted().embed(samples.payload.frame)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Trends, impossible and incomplete rows, rare levels, events."""
        return METRICS

    def save(self, folder: Path) -> None:
        """Write the fitted embedder."""
        fitted = self._fitted()
        with artifact.writing(folder, _NAME) as draft:
            draft.json("embedder", fitted.to_json())
            draft.arrays("embedder", {"mean": fitted.mean, "axes": fitted.axes})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved evaluator (see `Evaluator.load`)."""
        saved = artifact.reading(folder, _NAME)
        evaluator = cls()
        evaluator.fitted = Embedder.from_saved(saved.json("embedder"), saved.arrays("embedder"))
        return evaluator

    def _fitted(self) -> Embedder:
        if self.fitted is None:
            raise FitError(f"{_NAME} is not fitted.", next_step="Call fit, or load a saved one.")
        return self.fitted
