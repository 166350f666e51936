"""Privacy control: hands out training pictures, those of the most similar conditions."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np

from casemix.core import artifact, seeding
from casemix.core.conditions import ALL_KINDS, Conditions, check_honoured
from casemix.core.encoding import ConditionEncoder
from casemix.core.fields import Schema
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.errors import FitError
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.layout import Layout
from casemix.modalities.imaging.requests import check_training, check_wanted, record_index
from casemix.modalities.imaging.stored import picture_arrays, pictures_from

_KIND = "imaging/copy_training"
_CANDIDATES = 5


class CopyTraining(Generator):
    """A bad generator on purpose: looks perfect and gives every training patient away.

    Chance chooses among the five training records whose conditions are nearest.
    """

    modality = "imaging"
    honours = ALL_KINDS
    control = True

    def __init__(self) -> None:
        self._train: Images | None = None
        self._encoder = ConditionEncoder(Schema(), {}, {})
        self._values = np.zeros((0, 0), dtype=np.float32)
        self._known = np.zeros((0, 0), dtype=np.float32)
        self._records = Schema()

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Keep the training pictures and their conditions."""
        self._train = check_training(data, given, _KIND)
        check_honoured(given.schema, self.honours, _KIND)
        self._encoder = ConditionEncoder.fit(given)
        self._values, self._known = self._encoder.encode(given)
        self._records = data.schema
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return one training picture per row of ``given``."""
        train = self._fitted()
        values, known = self._encoder.encode(given)
        check_wanted(given, _KIND)
        chance = seeding.uniform(seed, given.sample_ids, 1, stream="choice")[:, 0]
        chosen = np.array(
            [self._choose(v, k, u) for v, k, u in zip(values, known, chance, strict=True)]
        )
        index = record_index(given, self._records)
        return Samples(self.modality, index, train.take(chosen), self._records)

    def _choose(self, values: np.ndarray, known: np.ndarray, chance: float) -> int:
        both = self._known * known  # (n, width)
        apart = (both * (self._values - values) ** 2).sum(axis=1)
        near = np.argsort(apart, kind="stable")[:_CANDIDATES]
        ties = np.flatnonzero(apart <= apart[near[-1]])  # all of them where nothing is given
        return int(ties[int(chance * len(ties))])

    def save(self, folder: Path) -> None:
        """Write the fitted model; atomic."""
        train = self._fitted()
        with artifact.writing(folder, _KIND) as draft:
            draft.json(
                "copy_training",
                {
                    "layout": train.layout.to_json(),
                    "encoder": self._encoder.to_json(),
                    "records": self._records.to_json(),
                },
            )
            draft.arrays("train", picture_arrays(train))
            draft.arrays("conditions", {"values": self._values, "known": self._known})

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model.

        Raises:
            ArtifactError: damaged, altered or of another method.
        """
        saved = artifact.reading(folder, _KIND, trust=trust)
        about, model = saved.json("copy_training"), cls()
        model._train = pictures_from(saved.arrays("train"), Layout.from_json(about["layout"]))
        model._encoder = ConditionEncoder.from_json(about["encoder"])
        conditions = saved.arrays("conditions")
        model._values, model._known = conditions["values"], conditions["known"]
        model._records = Schema.from_json(about["records"])
        return model

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance for tests."""
        return cls()

    def _fitted(self) -> Images:
        if self._train is None:
            raise FitError(f"{_KIND} is not fitted.", next_step="Call fit, or load a saved model.")
        return self._train
