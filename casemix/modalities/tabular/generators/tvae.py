"""SDV's TVAE: a variational autoencoder over columns; a baseline."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

from casemix.core import artifact
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.modalities.tabular.sdv_tables.joint import model_or_error
from casemix.modalities.tabular.sdv_tables.network import NetworkModel, check_training

_NAME = "tabular/tvae"


@dataclass(frozen=True)
class Config:
    """How the network is trained and rows are drawn.

    Args:
        epochs: passes over the training rows; SDV's own default is 300.
        batch_size: rows per step.
        candidates: rows drawn, of which each row with conditions takes the most fitting.
        gpu: train and draw on a GPU where there is one.

    Raises:
        PluginError: no epochs, or other batches.
    """

    epochs: int = 100
    batch_size: int = 500
    candidates: int = 20_000
    gpu: bool = True

    def __post_init__(self) -> None:
        check_training(_NAME, epochs=self.epochs, batch_size=self.batch_size)


class Tvae(Generator):
    """Trains an encoder and a decoder; numbers as modes of a mixture, levels one-hot.

    Conditions and columns are one table to SDV; conditions are met as `NetworkModel` says. Values
    that fewer than five subjects have are kept from the network and come out only where they are
    asked for. SDV saves with pickle, so a saved model loads with ``trust=True`` only.

    Reference: Xu et al., Modeling Tabular Data using Conditional GAN, NeurIPS 2019.
    """

    modality: ClassVar[str] = "tabular"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS
    shard_invariant: ClassVar[bool] = False  # rows are drawn together, from one random stream
    trusted_only: ClassVar[bool] = True

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.model: NetworkModel | None = None

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Learn the joint distribution of conditions and columns (see `Generator.fit`)."""
        self.model = NetworkModel.fit(
            data,
            given,
            who=_NAME,
            synthesizer="TVAESynthesizer",
            options=self._options(),
            seed=seed,
            progress=progress,
        )
        return self

    def _options(self) -> dict[str, object]:
        c = self.config
        return {
            "epochs": c.epochs,
            "batch_size": c.batch_size,
            "enable_gpu": c.gpu,
        }

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return one row per condition (see `Generator.generate`)."""
        model = model_or_error(self.model, _NAME)
        return model.generate(given, candidates=self.config.candidates, seed=seed)

    def save(self, folder: Path) -> None:
        """Write the model; SDV's part is a pickle (see `Generator.save`)."""
        model = model_or_error(self.model, _NAME)
        with artifact.writing(folder, _NAME, trusted_only=self.trusted_only) as draft:
            draft.json("config", asdict(self.config))
            model.save(draft)

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model; needs ``trust=True`` (see `Generator.load`)."""
        saved = artifact.reading(folder, _NAME, trust=trust)
        loaded = cls(Config(**saved.json("config")))
        loaded.model = NetworkModel.load(saved, who=_NAME)
        return loaded

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance that trains for two epochs."""
        return cls(Config(epochs=2, batch_size=20, candidates=100))
