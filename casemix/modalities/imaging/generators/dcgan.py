"""Class-conditional DCGAN that draws pictures and masks together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch

from casemix.core import artifact, seeding
from casemix.core.batches import fixed_batches
from casemix.core.conditions import ALL_KINDS, Conditions, check_honoured
from casemix.core.encoding import ConditionEncoder
from casemix.core.fields import Schema
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.core.training import load_state, seeded, state_arrays
from casemix.errors import FitError
from casemix.modalities.imaging.adversarial import NOISE, Critic, Frame, Painter, play
from casemix.modalities.imaging.conditioning import Steering
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.layout import Layout
from casemix.modalities.imaging.requests import check_training, check_wanted, record_index

_KIND = "imaging/dcgan"
_SAMPLED = 32  # pictures per sampling batch


@dataclass(frozen=True)
class Config:
    """Settings of `DCGAN`.

    Args:
        steps: turns of generator and discriminator.
        batch_size: rows per turn.
        width: channels at full resolution.
        learning_rate: of the generator; the discriminator's is twice as large.
    """

    steps: int = 500
    batch_size: int = 16
    width: int = 16
    learning_rate: float = 4e-4


class DCGAN(Generator):
    """Deep convolutional GAN with spectral normalisation, hinge loss and averaged weights.

    Pictures and masks come from one network, so they agree; masks cannot be given. Pictures
    without a mask are left out of the training where others have one.

    References:
        Radford A et al. Unsupervised representation learning with DCGAN. ICLR 2016.
        arXiv:2310.03608, a DCGAN on lung ultrasound.
    """

    modality = "imaging"
    honours = ALL_KINDS

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self._layout: Layout | None = None
        self._records = Schema()
        self._encoder = ConditionEncoder(Schema(), {}, {})
        self._painter: Painter | None = None

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Learn pictures (and masks) given conditions."""
        images = check_training(data, given, _KIND)
        check_honoured(given.schema, self.honours, _KIND)
        self._encoder, self._records = ConditionEncoder.fit(given), data.schema
        if images.masks is not None:
            rows = np.flatnonzero(images.masked)
            images, given = images.take(rows), given.take(rows)
        self._layout = images.layout
        painter = self._build(seed)
        critic = seeded(
            seeding.child(seed, "critic"),
            lambda: Critic(painter.frame, 2 * self._encoder.width, self.config.width),
        )
        play(
            painter,
            critic,
            _maps(images),
            Steering.of(given, self._encoder),
            steps=self.config.steps,
            batch_size=self.config.batch_size,
            learning_rate=self.config.learning_rate,
            seed=seed,
            progress=progress or Progress(),
        )
        self._painter = painter
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return one picture per row of ``given``, with a mask where masks were learnt."""
        layout, painter = self._fitted()
        wanted = given.align(self._encoder.schema)
        check_wanted(given, _KIND)
        steering, ids = Steering.of(wanted, self._encoder), wanted.sample_ids
        made = []
        with torch.inference_mode():
            for positions, used in fixed_batches(len(ids), _SAMPLED):
                noise = seeding.normal(seed, [ids[p] for p in positions], (NOISE,), stream="gan")
                there = steering.rows(torch.from_numpy(positions))
                made.append(painter(torch.from_numpy(noise.astype(np.float32)), there)[:used])
        images = _images(torch.cat(made).numpy(), layout)
        return Samples(self.modality, record_index(given, self._records), images, self._records)

    def save(self, folder: Path) -> None:
        """Write the fitted model; atomic."""
        layout, painter = self._fitted()
        with artifact.writing(folder, _KIND) as draft:
            draft.json(
                "dcgan",
                {
                    "config": asdict(self.config),
                    "layout": layout.to_json(),
                    "records": self._records.to_json(),
                    "encoder": self._encoder.to_json(),
                },
            )
            draft.arrays("painter", state_arrays(painter))

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model.

        Raises:
            ArtifactError: damaged, altered or of another method.
        """
        saved = artifact.reading(folder, _KIND, trust=trust)
        about = saved.json("dcgan")
        model = cls(Config(**about["config"]))
        model._layout = Layout.from_json(about["layout"])
        model._records = Schema.from_json(about["records"])
        model._encoder = ConditionEncoder.from_json(about["encoder"])
        model._painter = model._build(0)
        load_state(model._painter, saved.arrays("painter"))
        model._painter.eval()
        return model

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance for tests."""
        return cls(Config(steps=20, batch_size=8, width=8))

    def _build(self, seed: int) -> Painter:
        assert self._layout is not None
        frame, width = _frame(self._layout), 2 * self._encoder.width
        return seeded(seed, lambda: Painter(frame, width, self.config.width))

    def _fitted(self) -> tuple[Layout, Painter]:
        if self._layout is None or self._painter is None:
            raise FitError(f"{_KIND} is not fitted.", next_step="Call fit, or load a saved model.")
        return self._layout, self._painter


def _frame(layout: Layout) -> Frame:
    pictures, labels = len(layout.channels), len(layout.mask_labels)
    maps = pictures + labels * layout.mask_frames
    return Frame(maps, pictures, labels, layout.height, layout.width)


def _maps(images: Images) -> torch.Tensor:
    """Return pictures in [-1, 1] and one map per mask label, float32 (n, maps, h, w)."""
    maps = [images.pixels.astype(np.float32) / 127.5 - 1]
    if images.masks is not None:
        labels = np.arange(len(images.mask_labels))[:, None, None]
        one_hot = images.masks[:, :, None] == labels  # (n, m, labels, h, w)
        maps.append(one_hot.reshape(len(images), -1, *images.masks.shape[2:]).astype(np.float32))
    return torch.from_numpy(np.concatenate(maps, axis=1))


def _images(maps: np.ndarray, layout: Layout) -> Images:
    """Undo `_maps`."""
    count = len(layout.channels)
    pixels = np.clip(np.round((maps[:, :count] + 1) * 127.5), 0, 255).astype(np.uint8)
    if not layout.mask_frames:
        return Images(pixels, layout.channels)
    size = (len(layout.mask_labels), layout.height, layout.width)
    masks = maps[:, count:].reshape(len(maps), -1, *size).argmax(axis=2).astype(np.uint8)
    return Images(pixels, layout.channels, masks, layout.mask_labels)
