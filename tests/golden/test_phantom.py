"""The phantom is an instrument: it must not change unnoticed.

After a wanted change: ``python tests/golden/test_phantom.py`` writes the file anew; say why in the
changelog, since earlier figures on the phantom no longer compare.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from casemix.recipes.phantom.cohort import phantom_cohort

GOLDEN = Path(__file__).with_name("phantom.json")


def reading() -> dict:
    """Return what is kept of the first three phantom patients of seed 0."""
    cohort = phantom_cohort(3, seed=0)
    images, series = cohort["imaging"].payload, cohort["timeseries"].payload
    return {
        "subjects": json.loads(cohort.subjects.to_json(orient="index", double_precision=6)),
        "labs": json.loads(cohort["tabular"].payload.frame.to_json(double_precision=6)),
        "notes": list(cohort["text"].payload.texts),
        "vitals": {
            f.name: [round(float(v), 4) for v in np.nanmean(series.values[:, :, k], axis=1)]
            for k, f in enumerate(series.channels)
        },
        "brightness": [round(float(v), 4) for v in images.pixels.mean(axis=(1, 2, 3))],
        "mask_pixels": [np.bincount(m.ravel(), minlength=4).tolist() for m in images.masks],
    }


def close(made, kept):
    if isinstance(kept, dict):
        return made.keys() == kept.keys() and all(close(made[k], kept[k]) for k in kept)
    if isinstance(kept, list):
        return len(made) == len(kept) and all(map(close, made, kept))
    if isinstance(kept, float):
        return made == pytest.approx(kept, rel=1e-3, abs=1e-3)
    return made == kept


def test_the_phantom_is_what_it_was():
    made, kept = reading(), json.loads(GOLDEN.read_text())
    assert [part for part in kept if not close(made[part], kept[part])] == []


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(reading(), indent=1) + "\n")
