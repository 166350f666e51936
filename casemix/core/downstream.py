"""The contract of a downstream model: what users train on the records of a modality."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Protocol

import numpy as np

from casemix.core.samples import Samples

#: Predictions of samples: class probabilities (m, c), or numbers (m,).
Predict = Callable[[Samples], np.ndarray]


class Task(enum.StrEnum):
    """What is predicted."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class Downstream(Protocol):
    """A model that reads the records themselves, not findings or embeddings of them."""

    def __call__(self, train: Samples, y: np.ndarray, *, task: Task, seed: int) -> Predict:
        """Train a model and return how it predicts other records.

        Args:
            train: n records, in an order that does not matter to the caller.
            y: (n,) class codes 0 ... c - 1, each at least once, or finite numbers.
            task: classification or regression.
            seed: seed of weights, batches and kernels.
        """
