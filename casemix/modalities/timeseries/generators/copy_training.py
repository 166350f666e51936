"""Control of privacy: emits training series, chosen by noise."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from casemix.core import artifact, seeding
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.form import SeriesForm, fitted

_NAME = "timeseries/copy_training"


class CopyTraining(Generator):
    """Returns training series unchanged.

    Conditions are accepted and have no effect: it is a control that privacy metrics must fail.
    """

    modality: ClassVar[str] = "timeseries"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS
    control: ClassVar[bool] = True

    def __init__(self) -> None:
        self._form: SeriesForm | None = None
        self._values: np.ndarray

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """See `Generator.fit`."""
        self._form = SeriesForm.of(data, given, who=_NAME, least=1)
        series: Series = data.payload
        self._values = series.values
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """See `Generator.generate`."""
        form = fitted(self._form, _NAME)
        ids = given.align(form.given).sample_ids
        u = seeding.uniform(seed, ids, 1, stream="record")[:, 0]
        values = self._values[(u * len(self._values)).astype(int)]
        return form.samples(given, values, repaired=False)

    def save(self, folder: Path) -> None:
        """See `Generator.save`."""
        form = fitted(self._form, _NAME)
        with artifact.writing(folder, _NAME) as draft:
            draft.json("form", form.to_json())
            draft.arrays("training", {"values": self._values})

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """See `Generator.load`."""
        saved = artifact.reading(folder, _NAME)
        model = cls()
        model._form = SeriesForm.from_json(saved.json("form"))
        model._values = saved.arrays("training")["values"]
        return model

    @classmethod
    def tiny(cls) -> Self:
        """See `Generator.tiny`."""
        return cls()
