"""Levels that few subjects have, replaced by levels that enough of them have."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.core import seeding
from casemix.core.fields import LEVELLED, Schema

_LEAST = 5  # subjects


def common_levels(
    rows: pd.DataFrame, schema: Schema, owners: np.ndarray, *, seed: int
) -> pd.DataFrame:
    """Return rows without levels that fewer than five subjects have.

    In place of each such level comes that of a random row with a common one, so that the common
    levels keep their frequencies relative to each other. Pooled into one level ``other``, or into
    the one that is spelt most alike, they would add up to a level that tells synthetic subjects
    from real ones at once. A column without a common level stays as it is, for the tabular
    generator to hide.

    Args:
        rows: n typed rows.
        schema: their columns.
        owners: the subject of each row, (n,).
        seed: seed of what stands in.
    """
    shown = rows.copy()
    for f in schema:
        if f.kind not in LEVELLED:
            continue
        held = pd.DataFrame({"level": rows[f.name].to_numpy(), "owner": owners}).drop_duplicates()
        subjects = held["level"].value_counts()
        common = rows[f.name].isin(subjects.index[subjects >= _LEAST]).to_numpy()
        rare = rows[f.name].notna().to_numpy() & ~common
        if rare.any() and common.any():
            cells = rows[f.name].to_numpy(dtype=object, copy=True)
            rng = seeding.generator(seed, "common levels", f.name)
            cells[rare] = rng.choice(cells[common], int(rare.sum()))
            shown[f.name] = cells
    return shown
