"""Pixels to PNG and back, bit by bit."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from casemix.errors import PayloadError

# Okabe and Ito's colours, which colour-blind readers can tell apart.
_COLOURS = np.array(
    [
        (0, 114, 178),
        (0, 158, 115),
        (213, 94, 0),
        (230, 159, 0),
        (86, 180, 233),
        (204, 121, 167),
        (240, 228, 66),
    ],
    dtype=np.uint8,
)
_OPACITY = 110  # of 255


def encode(frame: np.ndarray) -> bytes:
    """Return a PNG of a uint8 frame (1, h, w) in grey or (3, h, w) in colour."""
    grey = len(frame) == 1
    return _written(Image.fromarray(frame[0] if grey else np.moveaxis(frame, 0, -1).copy()))


def decode(content: bytes | None, shape: tuple[int, int, int], where: str) -> np.ndarray:
    """Return the uint8 pixels (1 or 3, h, w) of a PNG.

    Args:
        content: the file.
        shape: what it must have.
        where: names the item in the error.

    Raises:
        PayloadError: nothing there, not a whole PNG, or another shape.
    """
    if content is None:
        raise PayloadError(f"A picture is missing: {where}.")
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            pixels = np.array(image)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise PayloadError(
            f"A picture does not decode: {where}.",
            given=f"{len(content)} bytes ({error})",
            next_step="The file is damaged; take it from its source again.",
        ) from error
    frame = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    if frame.shape != shape or frame.dtype != np.uint8:
        raise PayloadError(
            f"A picture has another shape: {where}.",
            given=f"{frame.dtype} {frame.shape}",
            allowed=f"uint8 {shape}",
        )
    return frame


def overlay(mask: np.ndarray) -> bytes:
    """Return a transparent PNG that colours each label of a mask (h, w); label 0 stays clear."""
    colour = _COLOURS[(mask.astype(int) - 1) % len(_COLOURS)]  # (h, w, 3)
    opacity = np.where(mask > 0, _OPACITY, 0).astype(np.uint8)
    return _written(Image.fromarray(np.dstack([colour, opacity]), "RGBA"))


def _written(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
