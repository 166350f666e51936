"""Spectra, Frechet distance of the embedding, and distance to the nearest training picture."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from casemix.core.metric import EvalData, Score, View
from casemix.evaluation.centred_interval import centred_interval
from casemix.evaluation.frechet import frechet_distance
from casemix.evaluation.statistics import bootstrap_rows, percentile_interval
from casemix.modalities.imaging.data import Images

_REPEATS = 60
_BANDS = 12
_SIDE = 16  # pixels of the reduced pictures that copies are looked for in


def log_spectrum(images: Images) -> np.ndarray:
    """Return the log10 power of each picture in rings of spatial frequency, (n, c * bands)."""
    grey = images.pixels.astype(np.float64) / 255
    h, w = grey.shape[2:]
    power = np.abs(np.fft.fft2(grey - grey.mean(axis=(2, 3), keepdims=True))) ** 2 / (h * w)
    radius = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)[None])  # cycles per pixel
    band = np.minimum((radius / 0.5 * _BANDS).astype(int), _BANDS - 1).ravel()
    used = np.unique(band)
    flat = power.reshape(*power.shape[:2], -1)
    means = [flat[:, :, band == b].mean(axis=2) for b in used]
    return np.log10(np.stack(means, axis=2) + 1e-6).reshape(len(grey), -1)


def spectrum_distance(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Return the mean absolute difference of mean log10 spectra, in decades of power."""
    return float(np.abs(real.mean(axis=0) - synthetic.mean(axis=0)).mean())


def nearest_distances(images: Images, others: Images) -> np.ndarray:
    """Return each picture's distance to the nearest of others, reduced and root-mean-square."""
    mine, theirs = (_reduced(i) for i in (images, others))
    return cdist(mine, theirs).min(axis=1) / np.sqrt(mine.shape[1])


def _reduced(images: Images) -> np.ndarray:
    grey = images.pixels.astype(np.float64) / 255
    for axis in (2, 3):
        size = grey.shape[axis]
        starts = np.arange(min(_SIDE, size)) * size // min(_SIDE, size)
        counts = np.diff(np.append(starts, size))
        shape = [-1 if a == axis else 1 for a in range(4)]
        grey = np.add.reduceat(grey, starts, axis=axis) / counts.reshape(shape)
    return grey.reshape(len(grey), -1)


def spectrum(data: EvalData, seed: int) -> Score:
    """Return `spectrum_distance` of held-out and synthetic pictures."""
    real, made = (log_spectrum(v.samples.payload) for v in (data.holdout, data.synthetic))
    draws = [spectrum_distance(real[a], made[b]) for a, b in _resampled(data, seed)]
    value = spectrum_distance(real, made)
    return Score(value, centred_interval(value, draws, (0.0, np.inf)), _subjects(data))


def frechet(data: EvalData, seed: int) -> Score:
    """Return the Frechet distance in the evaluator's embedding."""
    real, made = data.holdout.embedding, data.synthetic.embedding
    draws = [frechet_distance(real[a], made[b]) for a, b in _resampled(data, seed)]
    value = frechet_distance(real, made)
    note = f"{data.embedder}, n = {len(real)} and {len(made)}"
    return Score(value, centred_interval(value, draws, (0.0, np.inf)), _subjects(data), note=note)


def novelty(data: EvalData, seed: int) -> Score:
    """Return how far pictures lie from training ones, over held-out ones, at most 1."""
    train = data.train.samples.payload
    real, made = (
        nearest_distances(v.samples.payload, train) for v in (data.holdout, data.synthetic)
    )
    draws = [_novelty_ratio(real[a], made[b]) for a, b in _resampled(data, seed)]
    return Score(_novelty_ratio(real, made), percentile_interval(draws), _subjects(data))


def _novelty_ratio(real: np.ndarray, made: np.ndarray) -> float:
    usual = float(np.median(real))
    return 1.0 if usual == 0 else min(float(np.median(made)) / usual, 1.0)


def _resampled(data: EvalData, seed: int) -> zip[tuple[np.ndarray, np.ndarray]]:
    def rows(view: View, seed: int) -> list[np.ndarray]:
        return bootstrap_rows(view.samples.subject_ids, seed=seed, repeats=_REPEATS)

    return zip(rows(data.holdout, seed), rows(data.synthetic, seed + 1), strict=True)


def _subjects(data: EvalData) -> int:
    return min(len(set(v.samples.subject_ids)) for v in (data.holdout, data.synthetic))
