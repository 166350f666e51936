"""SDV's CopulaGAN: CTGAN on numbers with normal margins; a baseline."""

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
from casemix.errors import PluginError
from casemix.modalities.tabular.sdv_tables.calls import DISTRIBUTIONS
from casemix.modalities.tabular.sdv_tables.joint import model_or_error
from casemix.modalities.tabular.sdv_tables.network import NetworkModel, check_training

_NAME = "tabular/copula_gan"
_PACK = 10  # rows that the critic judges together


@dataclass(frozen=True)
class Config:
    """How the network is trained and rows are drawn.

    Args:
        epochs: passes over the training rows; SDV's own default is 300.
        batch_size: rows per step, a multiple of 10.
        rate: learning rate of the generator and of the critic.
        candidates: rows drawn, of which each row with conditions takes the most fitting.
        gpu: train and draw on a GPU where there is one.
        default_distribution: SDV's family of the numbers: ``norm``, ``beta``, ``truncnorm``,
            ``uniform``, ``gamma`` or ``gaussian_kde``.

    Raises:
        PluginError: another family, no epochs, or other batches.
    """

    epochs: int = 30
    batch_size: int = 500
    rate: float = 2e-4
    candidates: int = 20_000
    gpu: bool = True
    default_distribution: str = "truncnorm"

    def __post_init__(self) -> None:
        check_training(_NAME, epochs=self.epochs, batch_size=self.batch_size, pack=_PACK)
        if self.default_distribution not in DISTRIBUTIONS:
            raise PluginError(
                f"{_NAME} has no such default_distribution.",
                given=self.default_distribution,
                allowed=DISTRIBUTIONS,
            )


class CopulaGan(Generator):
    """Trains CTGAN on numbers that a fitted family of distributions makes normal first.

    Conditions and columns are one table to SDV; conditions are met as `NetworkModel` says. Values
    that fewer than five subjects have are kept from the network and come out only where they are
    asked for. SDV saves with pickle, so a saved model loads with ``trust=True`` only.

    Reference: SDV, CopulaGANSynthesizer; it has no paper of its own.
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
            synthesizer="CopulaGANSynthesizer",
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
            "generator_lr": c.rate,
            "discriminator_lr": c.rate,
            "default_distribution": c.default_distribution,
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
        return cls(Config(epochs=2, batch_size=20, candidates=100, default_distribution="norm"))
