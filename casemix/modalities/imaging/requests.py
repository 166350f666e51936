"""What every imaging generator checks and returns: training pairs, given masks, index rows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.core.conditions import Conditions
from casemix.core.fields import Schema
from casemix.core.samples import KEYS, Samples
from casemix.errors import ConditionError, FitError
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.layout import Layout

_LEAST_PICTURES = 8


def check_training(data: Samples, given: Conditions, who: str) -> Images:
    """Return the pictures after checking that the conditions belong to them.

    Masks are left out where fewer than eight pictures have one.

    Raises:
        FitError: too few pictures, or conditions of other rows or in another order.
    """
    if list(data.sample_ids) != given.sample_ids:
        raise FitError(
            f"{who} needs the conditions of the training records, in the same order.",
            given=f"{len(given)} conditions, {len(data)} records",
            next_step="Take them from Cohort.conditions.",
        )
    if len(data) < _LEAST_PICTURES:
        raise FitError(
            f"{who} cannot learn from so few pictures.",
            given=len(data),
            allowed=f"{_LEAST_PICTURES} or more",
        )
    return _with_enough_masks(data.payload)


def check_wanted(given: Conditions, who: str, maps: frozenset[str] = frozenset()) -> None:
    """Raise if nothing is asked for, or a map that the generator does not honour.

    Raises:
        ConditionError: conditions without rows, or with another map than ``maps``.
    """
    if not len(given):
        raise ConditionError(f"{who} was asked for no pictures.", given="0 rows of conditions")
    other = sorted(set(given.maps) - maps)
    if other:
        raise ConditionError(
            f"{who} does not know this map.", given=other, allowed=sorted(maps) or "no maps"
        )


def given_masks(given: Conditions, layout: Layout, who: str) -> np.ndarray | None:
    """Return the masks asked for, uint8 (n, m, h, w), or None.

    Raises:
        ConditionError: masks of another shape or with unknown labels.
    """
    if "segmentation" not in given.maps:
        return None
    masks = np.asarray(given.maps["segmentation"])
    shape = (len(given), layout.mask_frames, layout.height, layout.width)
    if not layout.mask_frames or masks.shape != shape or masks.dtype != np.uint8:
        raise ConditionError(
            f"{who} cannot follow these masks.",
            given=f"{masks.dtype} {masks.shape}",
            allowed=f"uint8 {shape}" if layout.mask_frames else "none: it was fitted without masks",
        )
    if masks.max() >= len(layout.mask_labels):
        raise ConditionError(
            "A given mask has a value without a label.",
            given=int(masks.max()),
            allowed=layout.mask_labels,
        )
    return masks


def record_index(given: Conditions, records: Schema) -> pd.DataFrame:
    """Return index rows of the samples asked for; record-level fields not given are missing."""
    index = given.rows[list(KEYS)].join(records.empty(given.rows.index))
    for name in records.names:
        if name in given.schema:
            index[name] = given.rows[name]
    return index


def _with_enough_masks(images: Images) -> Images:
    if images.masks is None or images.masked.sum() >= _LEAST_PICTURES:
        return images
    return Images(images.pixels, images.channels)
