"""Tables seen through their own columns; normal scores, levels and missingness + PCA."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from casemix.core import artifact
from casemix.core.evaluator import Evaluator
from casemix.core.fields import Schema
from casemix.core.samples import Samples
from casemix.errors import FitError
from casemix.modalities.tabular.embed import TableEmbedder
from casemix.modalities.tabular.findings import findings, findings_schema

_NAME = "tabular/standard"


class Standard(Evaluator):
    """The standard view of tables."""

    modality: ClassVar[str] = "tabular"
    embedder: ClassVar[str] = "normal scores + one-hot levels + missingness, PCA-16 whitened"

    def __init__(self) -> None:
        self._embedder: TableEmbedder | None = None

    def fit(self, train: Samples, *, seed: int) -> Self:
        """Fit the embedder on training rows."""
        self._embedder = TableEmbedder.fit(train.payload)
        return self

    @property
    def findings_schema(self) -> Schema:
        """One finding per column."""
        return findings_schema(self._fitted().schema)

    def findings(self, samples: Samples) -> pd.DataFrame:
        """Return the columns as findings."""
        return findings(samples)

    def embed(self, samples: Samples) -> np.ndarray:
        """Return float32 (n, k)."""
        return self._fitted().embed(samples.payload)

    def save(self, folder: Path) -> None:
        """Write the embedder."""
        embedder = self._fitted()
        with artifact.writing(folder, _NAME) as draft:
            draft.json("embedder", embedder.to_json())
            draft.arrays("embedder", embedder.arrays())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        saved = artifact.reading(folder, _NAME)
        made = cls()
        made._embedder = TableEmbedder.from_json(saved.json("embedder"), saved.arrays("embedder"))
        return made

    def _fitted(self) -> TableEmbedder:
        if self._embedder is None:
            raise FitError(
                "The tabular evaluator is not fitted.", next_step="Call fit, or load one."
            )
        return self._embedder
