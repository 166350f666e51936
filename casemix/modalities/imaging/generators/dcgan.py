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
from casemix.modalities.imaging.adversarial import PlaySettings, play
from casemix.modalities.imaging.adversarial_nets import NOISE, Critic, Frame, Painter
from casemix.modalities.imaging.conditioning import Steering
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.grain import GrainLevel
from casemix.modalities.imaging.layout import Layout
from casemix.modalities.imaging.nested import joined, part
from casemix.modalities.imaging.requests import check_training, check_wanted, record_index

_KIND = "imaging/dcgan"
_SAMPLED = 32  # pictures per sampling batch


@dataclass(frozen=True)
class Config:
    """Settings of `DCGAN`.

    Args:
        steps: turns of generator and discriminator.
        batch_size: rows per turn, a multiple of four.
        width: half the channels at half resolution.
        learning_rate: of the generator; the discriminator's is twice as large.
    """

    steps: int = 600
    batch_size: int = 16
    width: int = 16
    learning_rate: float = 4e-4


class DCGAN(Generator):
    """Deep convolutional GAN with spectral normalisation, hinge loss and averaged weights.

    Conditions steer every layer of the painter and enter the critic by projection; the critic sees
    augmented pictures only. Fine grain is not painted: its level is regressed on the conditions.
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
        self._grain: GrainLevel | None = None

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
        maps, steering = _maps(images), Steering.of(given, self._encoder)
        painter.learn_places(maps)
        pictures = maps[:, : painter.frame.pictures].numpy()
        grain = GrainLevel.fit(pictures, steering.rows(torch.arange(len(maps))))
        chosen = self.config
        play(
            painter,
            critic,
            maps,
            steering,
            grain,
            PlaySettings(chosen.steps, chosen.batch_size, chosen.learning_rate),
            seed=seed,
            progress=progress or Progress(),
        )
        self._painter, self._grain = painter, grain
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return one picture per row of ``given``, with a mask where masks were learnt."""
        layout, painter, grain = self._fitted()
        wanted = given.align(self._encoder.schema)
        check_wanted(given, _KIND)
        steering, ids = Steering.of(wanted, self._encoder), wanted.sample_ids
        made = []
        with torch.inference_mode():
            for positions, used in fixed_batches(len(ids), _SAMPLED):
                there = steering.rows(torch.from_numpy(positions))
                here = [ids[p] for p in positions]
                made.append(_painted(painter, grain, there, here, seed)[:used])
        images = _images(torch.cat(made).numpy(), layout)
        return Samples(self.modality, record_index(given, self._records), images, self._records)

    def save(self, folder: Path) -> None:
        """Write the fitted model; atomic."""
        layout, painter, grain = self._fitted()
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
            draft.arrays("weights", joined(painter=state_arrays(painter), grain=grain.to_arrays()))

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
        arrays = saved.arrays("weights")
        load_state(model._painter, part(arrays, "painter"))
        model._painter.eval()
        model._grain = GrainLevel.from_arrays(part(arrays, "grain"))
        return model

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance for tests."""
        return cls(Config(steps=20, batch_size=8, width=8))

    def _build(self, seed: int) -> Painter:
        assert self._layout is not None
        frame, width = _frame(self._layout), 2 * self._encoder.width
        return seeded(seed, lambda: Painter(frame, width, self.config.width))

    def _fitted(self) -> tuple[Layout, Painter, GrainLevel]:
        if self._layout is None or self._painter is None or self._grain is None:
            raise FitError(f"{_KIND} is not fitted.", next_step="Call fit, or load a saved model.")
        return self._layout, self._painter, self._grain


def _painted(
    painter: Painter, grain: GrainLevel, given: torch.Tensor, ids: list[str], seed: int
) -> torch.Tensor:
    """Return maps, (b, maps, h, w), from the noise of these ids."""

    def drawn(*shape: int, stream: str) -> torch.Tensor:
        return torch.from_numpy(seeding.normal(seed, ids, shape, stream=stream).astype(np.float32))

    frame = painter.frame
    level = grain.draw(given, drawn(frame.pictures, stream="grain level"))
    fine = drawn(frame.pictures, frame.height, frame.width, stream="grain")
    return painter(drawn(NOISE, stream="gan"), fine * level[:, :, None, None], given)


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
