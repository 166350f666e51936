"""Feed-forward network over counts of what came before; a strong and quick baseline on a CPU."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from casemix.core import artifact
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.core.training import TrainConfig
from casemix.modalities.events.counts_network import CountsNetwork
from casemix.modalities.events.form import fitted
from casemix.modalities.events.stream_model import StreamModel
from casemix.modalities.events.stream_settings import StreamSettings, stream_settings
from casemix.modalities.events.tokens import Tokeniser

_NAME = "events/feedforward"


@dataclass(frozen=True)
class Config:
    """How to learn and to draw.

    Args:
        width: hidden units.
        dropout: share of them that training leaves out; less where the histories are too many
            for ``stream.epochs`` passes.
        stream: how histories are told, learnt and drawn.
    """

    width: int = 192
    dropout: float = 0.5
    stream: StreamSettings = field(
        default_factory=lambda: StreamSettings(
            train=TrainConfig(
                steps=3000, batch_size=1, learning_rate=6e-3, weight_decay=0.01, ema_decay=0.998
            ),
            epochs=40,
            fewest=20,
        )
    )


class Feedforward(Generator):
    """Learns the next token given counts of what came before, and draws what the grammar allows.

    It knows what stood at this time, at the time before and ever, but not in which order further
    back, nor which value was whose.
    """

    modality: ClassVar[str] = "events"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        #: The fitted model: tokens, held-out losses, and which events were left out.
        self.model: StreamModel | None = None

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """See `Generator.fit`."""
        self.model = StreamModel.fit(
            data,
            given,
            self._build,
            self.config.stream,
            who=_NAME,
            seed=seed,
            progress=progress,
        )
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """See `Generator.generate`."""
        return fitted(self.model, _NAME).generate(given, seed=seed, progress=progress)

    def continue_(
        self,
        history: Samples,
        given: Conditions,
        *,
        seed: int,
        until_hours: float | None = None,
        progress: Progress | None = None,
    ) -> Samples:
        """Return given histories followed by drawn events; see `Transformer.continue_`."""
        model = fitted(self.model, _NAME)
        return model.continue_(
            history, given, seed=seed, until_hours=until_hours, progress=progress
        )

    def save(self, folder: Path) -> None:
        """Write configuration, tokens and weights."""
        model = fitted(self.model, _NAME)
        with artifact.writing(folder, _NAME) as draft:
            draft.json("config", asdict(self.config))
            model.write(draft)

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """See `Generator.load`."""
        saved = artifact.reading(folder, _NAME)
        content = saved.json("config")
        made = cls(Config(**{**content, "stream": stream_settings(content["stream"])}))
        made.model = StreamModel.read(saved, made._build, made.config.stream)
        return made

    def _build(self, tokens: Tokeniser, features: int) -> CountsNetwork:
        return CountsNetwork(tokens, features, self.config.width, self.config.dropout)

    @classmethod
    def tiny(cls) -> Self:
        """See `Generator.tiny`."""
        train = TrainConfig(steps=80, batch_size=1, learning_rate=1e-2, warmup=5, ema_decay=0.9)
        stream = StreamSettings(longest=48, budget=512, fewest=20, batch=16, train=train)
        return cls(Config(width=32, dropout=0.1, stream=stream))
