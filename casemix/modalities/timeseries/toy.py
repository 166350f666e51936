"""Tiny learnable series: level, swing and gaps depend visibly on the conditions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.core import seeding
from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples
from casemix.modalities.timeseries.data import Series

CHANNELS = (
    Field("heart_rate", Kind.NUMERIC, "/min", range=(20, 250)),
    Field("systolic_bp", Kind.NUMERIC, "mm[Hg]", range=(40, 260)),
    Field("diastolic_bp", Kind.NUMERIC, "mm[Hg]", range=(20, 200)),
)
CONDITIONS = Schema(
    (
        Field("severity", Kind.NUMERIC, "1", range=(0, 1)),
        Field("group", Kind.CATEGORICAL, levels=("a", "b")),
    )
)
_TIMES = 24


def toy(n: int = 64, *, seed: int = 0) -> tuple[Samples, Conditions]:
    """Return n hourly series of whole numbers and their conditions.

    Heart rate rises with ``severity``; blood pressure is higher in group ``b``, always systolic
    above diastolic; severe cases are recorded more often; neighbouring hours resemble each other.
    """
    ids = [f"toy-{seed}-{i}" for i in range(n)]
    u = seeding.uniform(seed, ids, 2, stream="toy")  # (n, 2)
    severity, in_b = u[:, 0], u[:, 1] < 0.5
    wave = _smooth(seeding.normal(seed, ids, (_TIMES, 3), stream="toy noise"))  # (n, t, 3)
    systolic = 110.0 + 25.0 * in_b[:, None] + 8.0 * wave[:, :, 1]
    values = np.stack(
        [
            60.0 + 50.0 * severity[:, None] + 6.0 * wave[:, :, 0],
            systolic,
            systolic - 40.0 + 6.0 * np.tanh(wave[:, :, 2]),
        ],
        axis=2,
    )
    chance = seeding.uniform(seed, ids, _TIMES * 3, stream="toy gaps").reshape(n, _TIMES, 3)
    recorded = chance < 0.4 + 0.5 * severity[:, None, None]
    recorded[:, 0] = True
    recorded[:, :, 2] = recorded[:, :, 1]  # one cuff reading gives both pressures
    grid = np.where(recorded, np.round(values), np.nan)
    context = pd.DataFrame(
        {"severity": severity, "group": np.where(in_b, "b", "a").astype(object)},
        index=pd.Index(ids, dtype=object),
    )
    given = Conditions.of(context, CONDITIONS)
    payload = Series(grid, 3600.0, CHANNELS)
    return Samples("timeseries", given.rows[["subject_id", "time"]], payload), given


def _smooth(noise: np.ndarray) -> np.ndarray:
    """Return stationary AR(1) series (correlation 0.8) from white noise (n, t, c)."""
    out = noise.copy()
    for t in range(1, noise.shape[1]):
        out[:, t] = 0.8 * out[:, t - 1] + 0.6 * noise[:, t]
    return out
