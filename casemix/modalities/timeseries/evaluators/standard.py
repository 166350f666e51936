"""Standard view of series: summaries per channel, MiniRocket embedding, gaps and memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from casemix.core import artifact
from casemix.core.downstream import Downstream
from casemix.core.evaluator import Evaluator
from casemix.core.fields import Field, Schema
from casemix.core.metric import Metric
from casemix.core.samples import Samples
from casemix.errors import EvaluationError
from casemix.modalities.timeseries import findings
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.downstream import DOWNSTREAM
from casemix.modalities.timeseries.embed import NAME, SeriesEmbedder
from casemix.modalities.timeseries.metrics import METRICS

_NAME = "timeseries/standard"


class Standard(Evaluator):
    """Summaries per channel as findings, MiniRocket and summaries as embedding.

    Reference:
        Dempster, Schmidt and Webb, MiniRocket, KDD 2021, through tsai.
    """

    modality: ClassVar[str] = "timeseries"
    embedder: ClassVar[str] = NAME

    def __init__(self) -> None:
        self._channels: tuple[Field, ...] = ()
        self._embedder: SeriesEmbedder | None = None

    def fit(self, train: Samples, *, seed: int) -> Self:
        """See `Evaluator.fit`."""
        if len(train) < 2:
            raise EvaluationError("The embedder needs at least two series.", given=len(train))
        series: Series = train.payload
        self._channels = series.channels
        self._embedder = SeriesEmbedder.fit(series, seed=seed)
        return self

    @property
    def findings_schema(self) -> Schema:
        """See `Evaluator.findings_schema`."""
        return findings.findings_schema(self._channels)

    def findings(self, samples: Samples) -> pd.DataFrame:
        """See `Evaluator.findings`."""
        return findings.findings(samples)

    def embed(self, samples: Samples) -> np.ndarray:
        """See `Evaluator.embed`."""
        return self._fitted().embed(samples.payload)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """See `Evaluator.metrics`."""
        return METRICS

    @property
    def downstream(self) -> Mapping[str, Downstream]:
        """See `Evaluator.downstream`."""
        return DOWNSTREAM

    def save(self, folder: Path) -> None:
        """See `Evaluator.save`."""
        embedder = self._fitted()
        with artifact.writing(folder, _NAME) as draft:
            about = {"channels": Schema(self._channels).to_json(), "embedder": embedder.to_json()}
            draft.json("evaluator", about)
            draft.arrays("embedder", embedder.arrays())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Evaluator.load`."""
        saved = artifact.reading(folder, _NAME)
        about = saved.json("evaluator")
        evaluator = cls()
        evaluator._channels = Schema.from_json(about["channels"]).fields
        evaluator._embedder = SeriesEmbedder.restore(about["embedder"], saved.arrays("embedder"))
        return evaluator

    def _fitted(self) -> SeriesEmbedder:
        if self._embedder is None:
            raise EvaluationError(
                f"{_NAME} was not fitted.", next_step="Call fit, or load a saved evaluator."
            )
        return self._embedder
