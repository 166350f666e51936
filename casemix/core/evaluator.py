"""The contract of an evaluator: what a modality's records say, and where they lie in a space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from casemix.core.downstream import Downstream
from casemix.core.fields import Schema
from casemix.core.metric import Metric
from casemix.core.samples import Samples


class Evaluator(ABC):
    """Findings and embedding of one modality, fitted on real training records only.

    Lives in ``modalities/<modality>/evaluators/<name>.py``; ``standard`` is the default one.
    The linked model uses the same two views to let later modalities know of earlier ones.
    """

    modality: ClassVar[str]
    #: Names the embedder with its source, for reports: ``MiniRocket (Dempster 2021) + PCA-32``.
    embedder: ClassVar[str]
    #: Whether metrics of this modality read an encoder that the user names.
    reads_encoder: ClassVar[bool] = False

    @abstractmethod
    def fit(self, train: Samples, *, seed: int) -> Self:
        """Fit the frozen embedder, and learn which findings these records have."""

    @property
    @abstractmethod
    def findings_schema(self) -> Schema:
        """The fields of `findings`; names start with ``<modality>.``."""

    @abstractmethod
    def findings(self, samples: Samples) -> pd.DataFrame:
        """Return typed findings, index = sample ids; a finding that is absent is missing."""

    @abstractmethod
    def embed(self, samples: Samples) -> np.ndarray:
        """Return float32 vectors of shape (n, d), finite."""

    def statements(self, samples: Samples) -> pd.DataFrame:
        """Return what records say in words, for the search for contradictions.

        Returns:
            Index = sample ids, one column of words per kind of statement, None where a record says
            nothing of it; no columns where the modality has no words.
        """
        return pd.DataFrame(index=samples.index.index)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Metrics of this modality beyond the shared ones of `casemix.evaluation`."""
        return ()

    @property
    def downstream(self) -> Mapping[str, Downstream]:
        """Models that users would train on these records, by name; they read payloads."""
        return {}

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the fitted evaluator; atomic."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved evaluator.

        Raises:
            ArtifactError: damaged, altered or of another evaluator.
        """
