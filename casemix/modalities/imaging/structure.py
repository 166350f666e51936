"""Structural similarity and peak signal-to-noise ratio of two pictures."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from casemix.errors import EvaluationError

_WINDOW = 11  # pixels, side of the Gaussian window
_SIGMA = 1.5  # pixels
_STABLE = (0.01**2, 0.03**2)  # for brightness in [0, 1]
_BETAS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang 2003, finest scale first
_HIGHEST = 100.0  # dB, of equal pictures


def ssim(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the structural similarity of each pair of pictures, (n,) in [-1, 1]; 1 = equal.

    The mean over channels and over all places where the whole window lies inside.

    Args:
        first: (n, c, h, w) in [0, 1], sides of 11 pixels or more.
        second: the same shape.

    Raises:
        EvaluationError: other shapes, or pictures smaller than the window.

    Reference:
        Wang Z et al. Image quality assessment: from error visibility to structural similarity.
        IEEE Trans Image Process 2004; 13:600.
    """
    _check(first, second)
    similarity, _ = _similarity(first, second)
    return similarity.mean(axis=1)


def ms_ssim(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the multi-scale structural similarity of each pair, (n,) in [0, 1]; 1 = equal.

    As many of the five scales as the window fits in (3 at 64 pixels, 5 from 176); their weights
    are scaled to sum to 1. Negative factors count as 0.

    Args:
        first: (n, c, h, w) in [0, 1], sides of 11 pixels or more.
        second: the same shape.

    Raises:
        EvaluationError: other shapes, or pictures smaller than the window.

    Reference:
        Wang Z et al. Multiscale structural similarity for image quality assessment. Asilomar 2003.
    """
    _check(first, second)
    scales = scales_of(*first.shape[2:])
    betas = np.array(_BETAS[:scales]) / sum(_BETAS[:scales])
    found = np.ones(len(first))
    for scale, beta in enumerate(betas):
        similarity, structure = _similarity(first, second)
        last = scale == scales - 1
        factor = (similarity if last else structure).mean(axis=1)
        found *= np.maximum(factor, 0) ** beta
        if not last:
            first, second = halved(first), halved(second)
    return found


def scales_of(height: int, width: int) -> int:
    """Return how many of the five scales of `ms_ssim` a picture has room for.

    >>> [scales_of(side, side) for side in (16, 64, 224)]
    [1, 3, 5]
    """
    side, scales = min(height, width), 1
    while scales < len(_BETAS) and side // 2 >= _WINDOW:
        side, scales = side // 2, scales + 1
    return scales


def psnr(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the peak signal-to-noise ratio of each pair in dB, (n,), at most 100.

    Args:
        first: (n, c, h, w) in [0, 1].
        second: the same shape.

    Raises:
        EvaluationError: other shapes.
    """
    _same(first, second)
    error = ((first - second) ** 2).mean(axis=(1, 2, 3))
    return np.minimum(-10 * np.log10(np.maximum(error, 1e-12)), _HIGHEST)


def _similarity(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return SSIM and its contrast-structure part, each (n, c)."""
    a, b = _blurred(first), _blurred(second)
    spread = _blurred(first**2) - a**2 + _blurred(second**2) - b**2
    together = _blurred(first * second) - a * b
    structure = (2 * together + _STABLE[1]) / (spread + _STABLE[1])
    brightness = (2 * a * b + _STABLE[0]) / (a**2 + b**2 + _STABLE[0])
    return (brightness * structure).mean(axis=(2, 3)), structure.mean(axis=(2, 3))


def _blurred(values: np.ndarray) -> np.ndarray:
    """Return Gaussian window means where the window lies inside, (n, c, h - 10, w - 10)."""
    reach = _WINDOW // 2
    for axis in (2, 3):
        values = ndimage.gaussian_filter1d(values, _SIGMA, axis=axis, radius=reach)
    return values[:, :, reach:-reach, reach:-reach]


def halved(values: np.ndarray) -> np.ndarray:
    """Return means of 2 x 2 pixels, (n, c, h // 2, w // 2); an odd last row or column goes."""
    n, c, h, w = values.shape
    even = values[:, :, : h // 2 * 2, : w // 2 * 2]
    return even.reshape(n, c, h // 2, 2, w // 2, 2).mean(axis=(3, 5))


def _check(first: np.ndarray, second: np.ndarray) -> None:
    _same(first, second)
    if min(first.shape[2:]) < _WINDOW:
        raise EvaluationError(
            "The pictures are too small for structural similarity.",
            given=f"{first.shape[2]} x {first.shape[3]} pixels",
            allowed=f"sides of {_WINDOW} pixels or more",
        )


def _same(first: np.ndarray, second: np.ndarray) -> None:
    if first.shape != second.shape or first.ndim != 4:
        raise EvaluationError(
            "Pictures can be compared only with pictures of the same shape.",
            given=f"{first.shape} and {second.shape}",
            allowed="(n, c, h, w) twice",
        )
