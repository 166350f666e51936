"""Intensity, size and cardiac findings, and a radiomics-type embedding."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from casemix.core import artifact
from casemix.core.downstream import Downstream
from casemix.core.evaluator import Evaluator
from casemix.core.fields import Schema
from casemix.core.metric import Metric
from casemix.core.samples import Samples
from casemix.errors import EvaluationError
from casemix.modalities.imaging.downstream import DOWNSTREAM
from casemix.modalities.imaging.embed import NAME, Embedder
from casemix.modalities.imaging.findings import findings, findings_schema
from casemix.modalities.imaging.metrics import METRICS

_KIND = "imaging/standard"


class Standard(Evaluator):
    """The default evaluator of pictures, with or without masks."""

    modality = "imaging"
    reads_encoder = True
    embedder = NAME

    def __init__(self) -> None:
        self._schema = Schema()
        self._embedder: Embedder | None = None

    def fit(self, train: Samples, *, seed: int) -> Self:
        """Fit the embedder, and keep the findings that any of these pictures has.

        Nothing in it is random; ``seed`` is part of the contract.
        """
        possible = findings_schema(train.payload.layout)
        found = findings(train, possible)
        self._schema = possible.pick(n for n in possible.names if found[n].notna().any())
        self._embedder = Embedder.fit(train.payload)
        return self

    @property
    def findings_schema(self) -> Schema:
        """The fields of `findings`."""
        return self._schema

    def findings(self, samples: Samples) -> pd.DataFrame:
        """Return the findings of pictures, index = sample ids."""
        return findings(samples, self._schema)

    def embed(self, samples: Samples) -> np.ndarray:
        """Return whitened vectors, float32 (n, d)."""
        return self._fitted().embed(samples.payload)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is measured on pictures beyond the shared metrics."""
        return METRICS

    @property
    def downstream(self) -> Mapping[str, Downstream]:
        """Models that users would train on pictures, by name."""
        return DOWNSTREAM

    def save(self, folder: Path) -> None:
        """Write the fitted evaluator; atomic."""
        with artifact.writing(folder, _KIND) as draft:
            draft.json("findings", {"schema": self._schema.to_json()})
            draft.arrays("embedder", self._fitted().to_arrays())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved evaluator.

        Raises:
            ArtifactError: damaged, altered or of another evaluator.
        """
        saved = artifact.reading(folder, _KIND)
        evaluator = cls()
        evaluator._schema = Schema.from_json(saved.json("findings")["schema"])
        evaluator._embedder = Embedder.from_arrays(saved.arrays("embedder"))
        return evaluator

    def _fitted(self) -> Embedder:
        if self._embedder is None:
            raise EvaluationError("The evaluator is not fitted.", next_step="Call fit, or load.")
        return self._embedder
