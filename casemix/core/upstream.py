"""What later modalities know of an earlier one: findings and a small whitened embedding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from casemix.core import artifact
from casemix.core.evaluator import Evaluator
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples

KIND = "core/upstream"


@dataclass(frozen=True)
class Upstream:
    """One modality as the ones after it see it: typed fields per subject.

    Args:
        evaluator: fitted on the training records.
        mean: mean training embedding, (d,).
        axes: whitening projection to the first principal axes, (d, k).
    """

    evaluator: Evaluator
    mean: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, evaluator: Evaluator, train: Samples, *, size: int) -> Upstream:
        """Return the upstream view with at most ``size`` whitened axes."""
        vectors = evaluator.embed(train).astype(np.float64)  # (n, d)
        mean = vectors.mean(axis=0)
        _, spread, axes = np.linalg.svd(vectors - mean, full_matrices=False)
        kept = int(min(size, (spread > 1e-6 * max(spread[0], 1e-12)).sum())) if len(spread) else 0
        deviation = spread[:kept] / np.sqrt(max(len(vectors) - 1, 1))
        return cls(evaluator, mean, axes[:kept].T / deviation)

    @property
    def schema(self) -> Schema:
        """The findings and ``<modality>.embedding.<axis>``."""
        modality = self.evaluator.modality
        axes = (Field(f"{modality}.embedding.{k}", Kind.NUMERIC) for k in range(self.axes.shape[1]))
        return self.evaluator.findings_schema.join(Schema(tuple(axes)))

    def per_subject(self, samples: Samples) -> pd.DataFrame:
        """Return one row per subject: means of numbers, most frequent level of the rest."""
        frame = self.evaluator.findings(samples)
        vectors = (self.evaluator.embed(samples) - self.mean) @ self.axes  # (n, k)
        names = [f"{self.evaluator.modality}.embedding.{k}" for k in range(vectors.shape[1])]
        frame = pd.concat([frame, pd.DataFrame(vectors, frame.index, names)], axis=1)
        subjects = pd.Series(samples.subject_ids, index=frame.index)
        if subjects.is_unique:
            return frame.set_axis(pd.Index(subjects, name="subject_id"))
        return aggregate(frame, subjects, self.schema)

    def save(self, folder: Path) -> None:
        """Write the view and its evaluator."""
        with artifact.writing(folder, KIND) as draft:
            draft.arrays("whitening", {"mean": self.mean, "axes": self.axes})
            self.evaluator.save(draft.folder("evaluator"))

    @classmethod
    def load(cls, folder: Path, evaluator: type[Evaluator]) -> Upstream:
        """Read what `save` wrote."""
        saved = artifact.reading(folder, KIND)
        arrays: Mapping[str, Any] = saved.arrays("whitening")
        return cls(evaluator.load(saved.folder("evaluator")), arrays["mean"], arrays["axes"])


def aggregate(frame: pd.DataFrame, subjects: pd.Series, schema: Schema) -> pd.DataFrame:
    """Return one row per subject: means of numbers, most frequent level of the rest.

    Args:
        frame: findings per sample, any of the schema's fields.
        subjects: the subject of each row.
        schema: which fields are numbers.
    """
    columns = {}
    for name in frame.columns:
        grouped = frame[name].groupby(subjects.to_numpy(), sort=True)
        columns[name] = grouped.mean() if schema[name].kind is Kind.NUMERIC else grouped.agg(_mode)
    result = pd.DataFrame(columns)
    result.index.name = "subject_id"
    return result


def _mode(cells: pd.Series) -> object:
    known = cells.dropna()
    return None if known.empty else sorted(known.value_counts()[lambda c: c == c.max()].index)[0]
