"""What a picture code leaves out: grain of any colour, described by a few numbers and drawn afresh.

The amplitude of the finest grain is described at three brightnesses, and how much stronger than
white noise the grain is in each coarser octave: speckle and texture are not white. Medians are
taken, so that whatever else the decoder missed, such as an edge out of place, hardly counts.

Reference:
    Liu C et al. Noise estimation from a single image. CVPR 2006: noise level functions.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
from scipy import ndimage

_KNOTS = np.array([0.15, 0.5, 0.85])  # brightness at which the grain's amplitude is described
_SIGMAS = (0.6, 1.2, 2.4, 4.8)  # pixels: where one octave ends and the next begins
_LEAST_GRAIN = 1e-3  # of white
_CORRECTIONS = 12
_TO_DEVIATION = 1.4826  # from a median of absolute values, for normal noise
_FEWEST = 20  # pixels of a brightness; with fewer the overall level stands in

_WAVELENGTH = 6.5  # of an octave's peak response, in units of the sigma where it begins


def coarser_octaves(patch: int) -> int:
    """Return how many octaves beyond the finest are grain where a cell has two patches a side.

    A wave shorter than a patch (half a cell) is grain; a longer one is the code's own task.

    >>> [coarser_octaves(patch) for patch in (1, 4, 8, 16)]
    [0, 1, 2, 3]
    """
    return sum(_WAVELENGTH * sigma < patch for sigma in _SIGMAS[:-1])


def grain_levels(pictures: np.ndarray, smooth: np.ndarray, coarser: int) -> np.ndarray:
    """Return the description of the grain, float32 (n, c * (3 + coarser)).

    Per channel: log amplitudes at dark, middle and bright, then log ratios of each coarser octave
    to the finest, 0 for white noise.

    Args:
        pictures: float32 (n, c, h, w) in [0, 1].
        smooth: what the decoder makes of them, same shape.
        coarser: how many octaves beyond the finest, 0 to 3.
    """
    sizes = _TO_DEVIATION * np.abs(octaves(pictures - smooth))  # (octaves, n, c, h, w)
    measured = np.moveaxis(np.median(sizes, axis=(3, 4)), 0, 2)  # (n, c, octaves)
    gains = _gains(measured) + _LEAST_GRAIN
    # The finest octave also sees the others' flanks: keep what is its own.
    own = gains[..., :1] / (measured[..., :1] + _LEAST_GRAIN)
    curves = _by_brightness(sizes[0], smooth) * own + _LEAST_GRAIN
    colour = gains[..., 1 : 1 + coarser] / gains[..., :1]
    both = np.log(np.concatenate([curves, colour], axis=2))  # (n, c, numbers)
    return both.reshape(len(pictures), -1).astype(np.float32)


def add_grain(smooth: np.ndarray, levels: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return pictures with grain whose amplitude follows the local brightness.

    Args:
        smooth: float32 (n, c, h, w) in [0, 1].
        levels: as `grain_levels` returns, (n, c * (3 + coarser)).
        noise: standard normal, (n, c, h, w).
    """
    n, c = smooth.shape[:2]
    described = levels.reshape(n, c, -1)
    curves = (np.exp(described[..., : len(_KNOTS)]) - _LEAST_GRAIN).clip(0)
    gains = np.exp(described[..., len(_KNOTS) :])
    finest, *coarser = octaves(noise)[: 1 + gains.shape[2]]
    grain = finest.copy()
    for gain, octave in zip(np.moveaxis(gains, 2, 0), coarser, strict=True):
        grain += gain[..., None, None] * octave
    made = np.empty_like(smooth)
    for i, j in np.ndindex(n, c):
        amplitude = np.interp(smooth[i, j], _KNOTS, curves[i, j])
        made[i, j] = smooth[i, j] + amplitude * grain[i, j]
    return made


def channel_mixing(pictures: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    """Return the Cholesky factor of the correlation of the channels' grain, float32 (c, c)."""
    fine = octaves(pictures - smooth)[:2].sum(axis=0)  # (n, c, h, w)
    table = np.moveaxis(fine, 1, 0).reshape(fine.shape[1], -1).astype(np.float64)
    deviation = np.maximum(np.sqrt((table**2).mean(axis=1)), 1e-9)
    correlation = table @ table.T / table.shape[1] / np.outer(deviation, deviation)
    np.fill_diagonal(correlation, 1 + 1e-6)
    return np.linalg.cholesky(correlation).astype(np.float32)


def octaves(pictures: np.ndarray) -> np.ndarray:
    """Return differences of blurs, finest first, (octaves, n, c, h, w)."""
    blurred = [ndimage.gaussian_filter(pictures, (0, 0, s, s), mode="nearest") for s in _SIGMAS]
    return np.stack([finer - coarser for finer, coarser in pairwise([pictures, *blurred])])


def _gains(measured: np.ndarray) -> np.ndarray:
    """Return the gain of each octave of white noise that gives these deviations, (..., octaves).

    Octaves overlap; the gains are found by repeated correction (Richardson).
    """
    gains = measured / _deviations(np.ones(len(_SIGMAS)))
    for _ in range(_CORRECTIONS):
        expected = _deviations(gains)
        gains = gains * measured / np.maximum(expected, 1e-9)
    return gains


def _deviations(gains: np.ndarray) -> np.ndarray:
    """Return each octave's standard deviation of white noise with these gains, (..., octaves)."""
    filters = _filters()
    power = (gains @ filters) ** 2  # (..., frequencies)
    return np.sqrt(power @ (filters**2).T / filters.shape[1])


@cache
def _filters() -> np.ndarray:
    """Return the octaves' responses at the frequencies of one quadrant, (octaves, frequencies)."""
    impulse = np.zeros((1, 1, 63, 63))
    impulse[..., 31, 31] = 1
    responses = np.fft.fft2(np.fft.ifftshift(octaves(impulse)[:, 0, 0], axes=(1, 2))).real
    return responses[:, :32, :32].reshape(len(_SIGMAS), -1)


def _by_brightness(sizes: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    """Return the median size at dark, middle and bright, (n, c, 3)."""
    levels = np.empty((*smooth.shape[:2], len(_KNOTS)), dtype=np.float32)
    edges = (_KNOTS[1:] + _KNOTS[:-1]) / 2
    for i, j in np.ndindex(smooth.shape[:2]):
        size, band = sizes[i, j], np.digitize(smooth[i, j], edges)
        overall = np.median(size)
        for k in range(len(_KNOTS)):
            there = size[band == k]
            levels[i, j, k] = np.median(there) if len(there) >= _FEWEST else overall
    return levels
