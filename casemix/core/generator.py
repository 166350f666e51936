"""The contract of a generator: data and conditions in, samples out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Protocol, Self, runtime_checkable

from casemix.core.conditions import Conditions
from casemix.core.fields import Kind
from casemix.core.progress import Progress
from casemix.core.samples import Samples


class Generator(ABC):
    """A method that learns one modality given conditions.

    A subclass lives in ``modalities/<modality>/generators/<method>.py``, which makes
    ``<modality>/<method>`` its registry name, or is named by the entry-point group
    ``casemix.generators``. Its constructor takes one frozen ``Config`` dataclass (or nothing),
    and does no work. Subclasses are final.
    """

    #: The modality whose `Samples` it learns and makes.
    modality: ClassVar[str]
    #: The kinds of condition that it honours; any other is an error, never ignored.
    honours: ClassVar[frozenset[Kind]]
    #: The spatial maps that it honours, e.g. ``{"segmentation"}``.
    maps: ClassVar[frozenset[str]] = frozenset()
    #: The same sample whatever the batch size, order or number of shards.
    shard_invariant: ClassVar[bool] = True
    #: A negative control (bad on purpose): not offered as a method, used by the protocol.
    control: ClassVar[bool] = False

    #: Saved by a library that only pickles: loading can run code, so it needs ``trust=True``.
    trusted_only: ClassVar[bool] = False

    @abstractmethod
    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Learn ``p(payload | given)``.

        Args:
            data: the training records, n of them.
            given: one row per record, in the same order (``given.sample_ids`` equals
                ``data.sample_ids``). Its schema becomes the conditions that may be asked for.
            seed: the seed of everything random.
            progress: where to report, and where to keep checkpoints.

        Raises:
            FitError: data that this method cannot learn from.
            ConditionError: conditions of a kind that this method does not honour.
        """

    @abstractmethod
    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return one sample per row of ``given``, with the same ids in the same order.

        Raises:
            ConditionError: a condition that the model was not fitted with.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the fitted model (see `casemix.core.artifact`); atomic."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model; ``trust`` is needed by formats that can run code.

        Raises:
            ArtifactError: damaged, altered, of another method, or not trusted.
        """

    @classmethod
    @abstractmethod
    def tiny(cls) -> Self:
        """Return an instance that fits toy data in about a second on a CPU."""


@runtime_checkable
class Continues(Protocol):
    """A generator that can go on from what is given of a record: histories of events."""

    def continue_(
        self,
        history: Samples,
        given: Conditions,
        *,
        seed: int,
        until_hours: float | None = None,
        progress: Progress | None = None,
    ) -> Samples:
        """Return the given records followed by what may come next.

        Args:
            history: the beginnings, one per row of ``given``; they come out unchanged, first.
            given: the conditions of the same records, in the same order.
            seed: seed of the draws.
            until_hours: hours since the index time after which nothing is added.
            progress: where to report.

        Raises:
            ConditionError: conditions of other records.
        """
