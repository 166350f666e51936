"""Conditional rectified flow: masks first, then pictures given mask and conditions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
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
from casemix.modalities.imaging.conditioning import Steering
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.layout import Layout
from casemix.modalities.imaging.mask_flow import MaskFlow
from casemix.modalities.imaging.nested import joined, part
from casemix.modalities.imaging.picture_flow import FlowSettings, PictureFlow
from casemix.modalities.imaging.picture_space import CodeSettings, PictureSpace
from casemix.modalities.imaging.requests import (
    check_training,
    check_wanted,
    given_masks,
    record_index,
)

_KIND = "imaging/flow"


@dataclass(frozen=True)
class Config:
    """Settings of `Flow`. The defaults suit a few hundred small pictures on a CPU.

    Args:
        steps: optimiser steps of the picture code (the autoencoder).
        flow_steps: optimiser steps of the flow over codes.
        mask_steps: optimiser steps of the flow over masks.
        batch_size: rows per step of the picture code; the flow over codes takes twice as many.
        width: channels of the UNets' first level; 128 and more for a GPU.
        code: numbers per cell of a picture's code.
        grid: most patches along a picture's longer side; more is finer and slower.
        sampling_steps: Euler steps.
        guidance: classifier-free guidance scale; 1 = as learnt.
    """

    steps: int = 1000
    flow_steps: int = 500
    mask_steps: int = 500
    batch_size: int = 8
    width: int = 32
    code: int = 8
    grid: int = 16
    sampling_steps: int = 12
    guidance: float = 1.0


class Flow(Generator):
    """Masks by a flow over a shape space, pictures by a latent flow that sees the mask.

    Both are steered by every condition; any subset may be given. A mask can be given as the map
    ``segmentation``, uint8 (n, m, h, w) with the training masks' labels.
    """

    modality = "imaging"
    honours = ALL_KINDS
    maps = frozenset({"segmentation"})

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self._layout: Layout | None = None
        self._records = Schema()
        self._encoder: ConditionEncoder | None = None
        self._masks: MaskFlow | None = None
        self._pictures: PictureFlow | None = None

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Learn pictures, and masks where there are any, given conditions."""
        images = check_training(data, given, _KIND)
        check_honoured(given.schema, self.honours, _KIND)
        progress = progress or Progress()
        encoder = ConditionEncoder.fit(given)
        self._masks = None
        if images.masks is not None:
            rows = np.flatnonzero(images.masked)
            self._masks = MaskFlow.fit(
                images.masks[rows],
                len(images.mask_labels),
                Steering.of(given.take(rows), encoder),
                steps=self.config.mask_steps,
                seed=seeding.child(seed, "masks"),
                progress=progress.within("masks"),
            )
        chosen = self.config
        space = PictureSpace.fit(
            images,
            CodeSettings(chosen.steps, chosen.batch_size, chosen.width, chosen.code),
            chosen.grid,
            seed=seeding.child(seed, "codes"),
            progress=progress.within("codes"),
        )
        self._pictures = PictureFlow.fit(
            images,
            space,
            Steering.of(given, encoder),
            FlowSettings(
                chosen.flow_steps, 2 * chosen.batch_size, chosen.width, chosen.sampling_steps
            ),
            seed=seeding.child(seed, "pictures"),
            progress=progress.within("pictures"),
        )
        self._layout, self._records, self._encoder = images.layout, data.schema, encoder
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return one picture per row of ``given``, with a mask where masks were learnt."""
        layout, encoder, pictures = self._fitted()
        check_wanted(given, _KIND, self.maps)
        wanted = given.align(encoder.schema)
        steering = Steering.of(wanted, encoder)
        masks = given_masks(given, layout, _KIND)
        ids, guidance = wanted.sample_ids, self.config.guidance
        if masks is None and self._masks is not None:
            masks = self._masks.sample(ids, steering, seed=seed, guidance=guidance)
        pixels = pictures.sample(
            ids, masks, steering, seed=seed, guidance=guidance, progress=progress or Progress()
        )
        made = Images(pixels, layout.channels, masks, layout.mask_labels)
        return Samples(self.modality, record_index(given, self._records), made, self._records)

    def save(self, folder: Path) -> None:
        """Write the fitted model; atomic."""
        layout, encoder, pictures = self._fitted()
        with artifact.writing(folder, _KIND) as draft:
            draft.json(
                "flow",
                {
                    "config": asdict(self.config),
                    "layout": layout.to_json(),
                    "records": self._records.to_json(),
                    "encoder": encoder.to_json(),
                    "pictures": pictures.to_json(),
                    "masks": self._masks is not None,
                },
            )
            masks = {} if self._masks is None else self._masks.to_arrays()
            draft.arrays("weights", joined(masks=masks, pictures=pictures.to_arrays()))

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model.

        Raises:
            ArtifactError: damaged, altered or of another method.
        """
        saved = artifact.reading(folder, _KIND, trust=trust)
        about, arrays = saved.json("flow"), saved.arrays("weights")
        model = cls(Config(**about["config"]))
        model._layout = Layout.from_json(about["layout"])
        model._records = Schema.from_json(about["records"])
        model._encoder = ConditionEncoder.from_json(about["encoder"])
        width = model._encoder.width
        if about["masks"]:
            model._masks = MaskFlow.load(part(arrays, "masks"), width)
        model._pictures = PictureFlow.load(part(arrays, "pictures"), about["pictures"], width)
        return model

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance for tests."""
        return cls(
            Config(
                steps=30,
                flow_steps=20,
                mask_steps=60,
                batch_size=8,
                width=16,
                code=4,
                grid=8,
                sampling_steps=4,
            )
        )

    def _fitted(self) -> tuple[Layout, ConditionEncoder, PictureFlow]:
        if self._layout is None or self._encoder is None or self._pictures is None:
            raise FitError(f"{_KIND} is not fitted.", next_step="Call fit, or load a saved model.")
        return self._layout, self._encoder, self._pictures
