"""Pictures as named arrays, for models that keep their training records."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.layout import Layout


def picture_arrays(images: Images) -> dict[str, np.ndarray]:
    """Return pixels, masks and which pictures have one; the layout is kept apart."""
    arrays = {"pixels": images.pixels, "has_mask": images.masked.astype(np.uint8)}
    return arrays if images.masks is None else arrays | {"masks": images.masks}


def pictures_from(arrays: Mapping[str, np.ndarray], layout: Layout) -> Images:
    """Rebuild what `picture_arrays` returned."""
    return Images(
        arrays["pixels"],
        layout.channels,
        arrays.get("masks"),
        layout.mask_labels,
        arrays["has_mask"].astype(bool),
    )
