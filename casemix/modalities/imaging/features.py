"""Radiomics-type features of pictures: first-order, texture, layout and mask shape, by block.

Reference:
    Zwanenburg A et al. The image biomarker standardization initiative. Radiology 2020; 295:328,
    for first-order and shape features; the texture energies are those of a Laplacian pyramid.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from casemix.modalities.imaging.data import Images

_QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
_SCALES = (0.7, 1.4, 2.8, 5.6)  # pixels
_CELLS = 12  # side of the reduced picture
_SLOPE = (-0.5, 0.0, 0.5)


def feature_blocks(images: Images) -> dict[str, np.ndarray]:
    """Return block name -> float64 (n, k); mask features are NaN for pictures without a mask."""
    grey = images.pixels.astype(np.float64) / 255  # (n, c, h, w)
    blocks = {
        "intensity": _intensity(grey),
        "texture": _texture(grey),
        "layout": _reduced(grey).reshape(len(grey), -1),
    }
    if images.masks is not None:
        blocks["shape"] = _shape(images)
    return blocks


def _intensity(grey: np.ndarray) -> np.ndarray:
    """Return moments and quantiles of each channel."""
    flat = grey.reshape(*grey.shape[:2], -1)  # (n, c, pixels)
    quantiles = np.moveaxis(np.quantile(flat, _QUANTILES, axis=2), 0, 2)  # (n, c, q)
    moments = np.stack([flat.mean(axis=2), flat.std(axis=2)], axis=2)
    return np.concatenate([quantiles, moments], axis=2).reshape(len(grey), -1)


def _texture(grey: np.ndarray) -> np.ndarray:
    """Return log energies of the bands of a Laplacian pyramid and of the gradients."""
    energies = []
    finer = grey
    for scale in _SCALES:
        coarser = ndimage.gaussian_filter(grey, sigma=(0, 0, scale, scale), mode="nearest")
        energies.append((finer - coarser).std(axis=(2, 3)))
        energies.append(ndimage.correlate1d(coarser, _SLOPE, axis=2).std(axis=(2, 3)))
        energies.append(ndimage.correlate1d(coarser, _SLOPE, axis=3).std(axis=(2, 3)))
        finer = coarser
    return np.log(np.concatenate(energies, axis=1) + 1e-3)  # (n, 3 * scales * c)


def _reduced(grey: np.ndarray) -> np.ndarray:
    """Return area means on a grid of at most 12 x 12 cells, (n, c, cells, cells)."""
    return _pooled(_pooled(grey, axis=2), axis=3)


def _pooled(values: np.ndarray, axis: int) -> np.ndarray:
    size = values.shape[axis]
    cells = min(_CELLS, size)
    starts = np.arange(cells) * size // cells
    counts = np.diff(np.append(starts, size)).reshape([-1 if a == axis else 1 for a in range(4)])
    return np.add.reduceat(values, starts, axis=axis) / counts


def _shape(images: Images) -> np.ndarray:
    """Return area, centre and spread of each label in each frame."""
    assert images.masks is not None
    n, _, h, w = images.masks.shape
    y, x = np.linspace(-1, 1, h)[:, None], np.linspace(-1, 1, w)[None]
    columns = []
    for label in range(1, len(images.mask_labels)):
        inside = images.masks == label  # (n, m, h, w)
        area = inside.mean(axis=(2, 3))
        pixels = np.maximum(area * h * w, 1)
        cy, cx = ((inside * axis).sum(axis=(2, 3)) / pixels for axis in (y, x))
        syy, sxx = (
            (inside * axis**2).sum(axis=(2, 3)) / pixels - centre**2
            for axis, centre in ((y, cy), (x, cx))
        )
        sxy = (inside * (y * x)).sum(axis=(2, 3)) / pixels - cy * cx
        columns += [np.sqrt(area), cy, cx, np.sqrt(syy.clip(0)), np.sqrt(sxx.clip(0)), sxy]
    table = np.concatenate(columns, axis=1).reshape(n, -1)
    return np.where(images.masked[:, None], table, np.nan)
