"""Tiny learnable pictures: a disc in a ring whose size, place and style follow the conditions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.core import seeding
from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples
from casemix.modalities.imaging.data import Images

SIZE = 16  # pixels
LABELS = ("background", "wall", "cavity")
CONDITIONS = Schema(
    (
        Field("severity", Kind.NUMERIC, "1", range=(0, 1)),
        Field("group", Kind.CATEGORICAL, levels=("a", "b")),
    )
)


def toy(n: int = 64, *, seed: int = 0) -> tuple[Samples, Conditions]:
    """Return n pictures (16 x 16, one channel) with masks, and their conditions.

    The cavity grows with ``severity``; group ``b`` is brighter and its disc lies to the right.
    """
    ids = [f"toy-{seed}-{i}" for i in range(n)]
    u = seeding.uniform(seed, ids, 3, stream="toy")  # (n, 3)
    severity, in_b = u[:, 0], u[:, 1] < 0.5
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    middle = np.where(in_b, 2.0, -2.0) + u[:, 2] - 0.5
    distance = np.hypot(y[None], x[None] - middle[:, None, None])  # (n, h, w)
    radius = (1.5 + 2.5 * severity)[:, None, None]
    masks = np.where(distance < radius, 2, np.where(distance < radius + 1.8, 1, 0))
    bright = np.where(in_b, 200.0, 140.0)[:, None, None]
    clean = np.choose(masks, [20.0, 70.0, bright])
    noisy = clean + 6.0 * seeding.normal(seed, ids, (SIZE, SIZE), stream="toy noise")
    images = Images(
        pixels=np.clip(np.round(noisy), 0, 255).astype(np.uint8)[:, None],
        channels=("intensity",),
        masks=masks.astype(np.uint8)[:, None],
        mask_labels=LABELS,
    )
    context = pd.DataFrame(
        {"severity": severity, "group": np.where(in_b, "b", "a").astype(object)},
        index=pd.Index(ids, dtype=object),
    )
    given = Conditions.of(context, CONDITIONS)
    return Samples("imaging", given.rows[["subject_id", "time"]], images), given
