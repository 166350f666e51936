"""Standard view of event streams: amounts, frequent codes and values; counts as embedding."""

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
from casemix.errors import EvaluationError
from casemix.modalities.events.embed import NAME, EventEmbedder
from casemix.modalities.events.findings import EventFindings
from casemix.modalities.events.metrics import METRICS

_NAME = "events/standard"


class Standard(Evaluator):
    """Amounts, frequent codes and mean values as findings; counts, gaps and values as vectors."""

    modality: ClassVar[str] = "events"
    embedder: ClassVar[str] = NAME

    def __init__(self) -> None:
        self._found: EventFindings | None = None
        self._embedder: EventEmbedder | None = None

    def fit(self, train: Samples, *, seed: int) -> Self:
        """See `Evaluator.fit`."""
        if len(train) < 2:
            raise EvaluationError("The embedder needs at least two histories.", given=len(train))
        self._found = EventFindings.fit(train.payload)
        self._embedder = EventEmbedder.fit(train.payload)
        return self

    @property
    def findings_schema(self) -> Schema:
        """See `Evaluator.findings_schema`."""
        return self._learnt()[0].schema

    def findings(self, samples: Samples) -> pd.DataFrame:
        """See `Evaluator.findings`."""
        found = self._learnt()[0].of(samples.payload)
        return found.set_axis(samples.index.index, axis=0)

    def embed(self, samples: Samples) -> np.ndarray:
        """See `Evaluator.embed`."""
        return self._learnt()[1].embed(samples.payload)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """See `Evaluator.metrics`."""
        return METRICS

    def save(self, folder: Path) -> None:
        """See `Evaluator.save`."""
        found, embedder = self._learnt()
        with artifact.writing(folder, _NAME) as draft:
            draft.json("findings", found.to_json())
            embedder.write(draft)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Evaluator.load`."""
        saved = artifact.reading(folder, _NAME)
        evaluator = cls()
        evaluator._found = EventFindings.from_json(saved.json("findings"))
        evaluator._embedder = EventEmbedder.read(saved)
        return evaluator

    def _learnt(self) -> tuple[EventFindings, EventEmbedder]:
        if self._found is None or self._embedder is None:
            raise EvaluationError(
                f"{_NAME} was not fitted.", next_step="Call fit, or load a saved evaluator."
            )
        return self._found, self._embedder
