"""Floor: each pixel drawn from its own training values, independent of all others."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np

from casemix.core import artifact, seeding
from casemix.core.conditions import ALL_KINDS, Conditions, check_honoured
from casemix.core.fields import Schema
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.errors import FitError
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.layout import Layout
from casemix.modalities.imaging.requests import check_training, check_wanted, record_index
from casemix.modalities.imaging.stored import picture_arrays, pictures_from

_KIND = "imaging/marginals"


class Marginals(Generator):
    """A bad generator on purpose: right brightness at every place, and nothing else.

    It takes conditions of every kind and follows none.
    """

    modality = "imaging"
    honours = ALL_KINDS
    control = True

    def __init__(self) -> None:
        self._train: Images | None = None
        self._conditions = Schema()
        self._records = Schema()

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Keep the training pictures."""
        self._train = check_training(data, given, _KIND)
        check_honoured(given.schema, self.honours, _KIND)
        self._conditions, self._records = given.schema, data.schema
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return one picture per row of ``given``."""
        train = self._fitted()
        given.align(self._conditions)
        check_wanted(given, _KIND)
        ids = given.sample_ids
        masks = None
        if train.masks is not None:
            masks = _shuffled(train.masks[train.masked], ids, seed, "mask")
        made = Images(
            _shuffled(train.pixels, ids, seed, "pixels"),
            train.channels,
            masks,
            train.mask_labels,
        )
        return Samples(self.modality, record_index(given, self._records), made, self._records)

    def save(self, folder: Path) -> None:
        """Write the fitted model; atomic."""
        train = self._fitted()
        with artifact.writing(folder, _KIND) as draft:
            draft.json(
                "marginals",
                {
                    "layout": train.layout.to_json(),
                    "conditions": self._conditions.to_json(),
                    "records": self._records.to_json(),
                },
            )
            draft.arrays("train", picture_arrays(train))

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model.

        Raises:
            ArtifactError: damaged, altered or of another method.
        """
        saved = artifact.reading(folder, _KIND, trust=trust)
        about, model = saved.json("marginals"), cls()
        model._train = pictures_from(saved.arrays("train"), Layout.from_json(about["layout"]))
        model._conditions = Schema.from_json(about["conditions"])
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


def _shuffled(values: np.ndarray, ids: list[str], seed: int, stream: str) -> np.ndarray:
    """Return arrays of the shape of ``values``' rows, each cell from a row of its own."""
    columns = values.reshape(len(values), -1)  # (n, d)
    made = np.empty((len(ids), columns.shape[1]), dtype=values.dtype)
    for i, identifier in enumerate(ids):
        u = seeding.uniform(seed, [identifier], columns.shape[1], stream=stream)[0]
        made[i] = columns[(u * len(columns)).astype(int), np.arange(columns.shape[1])]
    return made.reshape(len(ids), *values.shape[1:])
