"""Decoder-only transformer over event tokens, decoded through a grammar; continues histories."""

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
from casemix.modalities.events.form import fitted
from casemix.modalities.events.network import EventWriter, Size
from casemix.modalities.events.stream_model import StreamModel
from casemix.modalities.events.stream_settings import StreamSettings, stream_settings
from casemix.modalities.events.tokens import Tokeniser

_NAME = "events/transformer"
_EMBEDDING, _HEAD = "lm.model.embed_tokens.weight", "lm.lm_head.weight"  # one and the same


@dataclass(frozen=True)
class Config:
    """How to learn and to draw.

    Args:
        size: of the network.
        stream: how histories are told, learnt and drawn.
    """

    size: Size = field(default_factory=Size)
    stream: StreamSettings = field(default_factory=StreamSettings)


class Transformer(Generator):
    """Learns ``p(next token | context, history)`` and draws what the grammar allows."""

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

    def _build(self, tokens: Tokeniser, features: int) -> EventWriter:
        return EventWriter(self.config.size, tokens, features, self.config.stream.longest)

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
        """Return given histories followed by what the model thinks may come next.

        Args:
            history: the beginnings, one per row of ``given``; they come out unchanged, followed by
                the model's events at later times. A code that it does not know it reads as the
                code's parent; of a long one it reads the last times.
            given: conditions of the same records in the same order.
            seed: seed of the draws.
            until_hours: hours since the index time after which nothing is added.
            progress: where to report.

        Raises:
            ConditionError: conditions of other records.
        """
        model = fitted(self.model, _NAME)
        return model.continue_(
            history, given, seed=seed, until_hours=until_hours, progress=progress
        )

    def save(self, folder: Path) -> None:
        """Write configuration, tokens and weights."""
        model = fitted(self.model, _NAME)
        with artifact.writing(folder, _NAME) as draft:
            draft.json("config", asdict(self.config))
            model.write(draft, but=(_HEAD,))

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """See `Generator.load`."""
        saved = artifact.reading(folder, _NAME)
        content = saved.json("config")
        made = cls(Config(Size(**content["size"]), stream_settings(content["stream"])))
        made.model = StreamModel.read(
            saved, made._build, made.config.stream, copies={_HEAD: _EMBEDDING}
        )
        return made

    @classmethod
    def tiny(cls) -> Self:
        """See `Generator.tiny`."""
        train = TrainConfig(steps=60, batch_size=1, learning_rate=1e-2, warmup=5, ema_decay=0.9)
        stream = StreamSettings(longest=48, budget=512, batch=16, train=train)
        return cls(Config(Size(width=16, layers=1, heads=2), stream))
