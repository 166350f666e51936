"""Control: training records come out as they are; privacy metrics must fail it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from casemix.core import artifact, seeding
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.encoding import ConditionEncoder
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.modalities.tabular.records import (
    Fitted,
    check_fit,
    fitted_or_error,
    records,
    with_given,
)

_NAME = "tabular/copy_training"
_NEAREST = 5  # training records among which one is drawn
_ROWS_AT_ONCE = 1024


class CopyTraining(Generator):
    """Emits one of the training records whose conditions are nearest to those asked for.

    Cells given for a column of the table come out as given.
    """

    modality: ClassVar[str] = "tabular"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS
    control: ClassVar[bool] = True

    def __init__(self) -> None:
        self.fitted: Fitted | None = None
        self.rows = pd.DataFrame()
        self.encoder: ConditionEncoder | None = None
        self.values = np.empty((0, 0))
        self.known = np.empty((0, 0))

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Keep the training records (see `Generator.fit`)."""
        self.fitted = check_fit(data, given, self.honours, _NAME, codes=True)
        self.rows = data.payload.frame
        self.encoder = ConditionEncoder.fit(given)
        self.values, self.known = self.encoder.encode(given)
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return training records (see `Generator.generate`)."""
        fitted = fitted_or_error(self.fitted, _NAME)
        asked = given.align(fitted.given)
        u = seeding.uniform(seed, asked.sample_ids, 2, stream="records")
        rank = np.floor(u[:, 0] * min(_NEAREST, len(self.rows))).astype(int)
        chosen = self._nearest(asked, u[:, 1])[np.arange(len(asked)), rank]
        copied = self.rows.iloc[chosen].set_axis(asked.rows.index, axis=0)
        return records(with_given(copied, asked), asked, fitted)

    def _nearest(self, asked: Conditions, u: np.ndarray) -> np.ndarray:
        """Return the nearest training records, (n, nearest); equal ones by noise ``u``, (n,)."""
        assert self.encoder is not None
        values, known = self.encoder.encode(asked)
        parts = [np.empty((0, _NEAREST), dtype=int)]
        # Walking through the records from a start of one's own settles ties.
        order = np.arange(len(self.rows))
        for start in range(0, len(asked), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            distance = np.zeros((len(values[rows]), len(self.rows)))
            for k in range(values.shape[1]):  # one column at a time: the same sums in any batch
                both = known[rows, k, None] * self.known[None, :, k]
                distance += both * (values[rows, k, None] - self.values[None, :, k]) ** 2
            first = np.floor(u[rows] * len(order)).astype(int)
            turn = (order[None, :] - first[:, None]) % len(order)
            parts.append(np.lexsort((turn, distance), axis=1)[:, :_NEAREST])
        return np.concatenate(parts)

    def save(self, folder: Path) -> None:
        """Write the model (see `Generator.save`)."""
        fitted = fitted_or_error(self.fitted, _NAME)
        assert self.encoder is not None
        with artifact.writing(folder, _NAME) as draft:
            draft.json("fitted", fitted.to_json())
            draft.json("encoder", self.encoder.to_json())
            draft.frame("rows", self.rows)
            draft.arrays("conditions", {"values": self.values, "known": self.known})

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model (see `Generator.load`)."""
        saved = artifact.reading(folder, _NAME, trust=trust)
        model = cls()
        model.fitted = Fitted.from_json(saved.json("fitted"))
        model.encoder = ConditionEncoder.from_json(saved.json("encoder"))
        model.rows = model.fitted.table.coerce(saved.frame("rows"))
        arrays = saved.arrays("conditions")
        model.values, model.known = arrays["values"], arrays["known"]
        return model

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance: there is nothing to make smaller."""
        return cls()
