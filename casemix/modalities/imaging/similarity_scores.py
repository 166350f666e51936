"""Structural similarity as metrics: among synthetic pictures, and to the real ones they redo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from casemix.core.metric import EvalData, Score, View
from casemix.evaluation.centred_interval import centred_interval
from casemix.evaluation.statistics import bootstrap_rows, bootstrap_weights, percentile_interval
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.extractors import one_per_subject
from casemix.modalities.imaging.structure import halved, ms_ssim, psnr, scales_of, ssim

_PAIRS = 600  # or one per subject, whichever is more, but no pair twice
_LONGEST = 128  # pixels of the longer side in pairs of different subjects
_CLEARLY = 0.02  # of MS-SSIM, lower end of the interval from which mode collapse is named
_FEWEST_PAIRS = 8
_NO_PAIRS = (
    "This is no reconstruction or translation task: fewer than "
    f"{_FEWEST_PAIRS} synthetic records bear the sample id of a held-out one, or its subject id "
    "and its mask."
)


def similarity_difference(data: EvalData, seed: int) -> Score:
    """Return how far the mean MS-SSIM of random synthetic pairs is from that of real pairs."""
    real, made = (_among(v, s) for v, s in ((data.holdout, seed), (data.synthetic, seed + 1)))
    value = made.mean - real.mean
    draws = made.resampled - real.resampled
    note = f"{made.scales} scales, {real.pairs} and {made.pairs} pairs of different subjects"
    if np.quantile(draws, 0.025) > _CLEARLY:
        note += "; synthetic pictures resemble one another more than real ones do"
    details = {"real": real.mean, "synthetic": made.mean}
    n = min(real.subjects, made.subjects)
    interval = centred_interval(abs(value), abs(draws), (0.0, 1.0))
    return Score(abs(value), interval, n, note=note, details=details)


@dataclass(frozen=True)
class _Among:
    """MS-SSIM of pairs of different subjects: mean, and means over resampled subjects."""

    mean: float
    resampled: np.ndarray
    pairs: int
    subjects: int
    scales: int


def _among(view: View, seed: int) -> _Among:
    pictures = _brightness(one_per_subject(view).samples.payload)
    n = len(pictures)
    order = np.random.default_rng(seed).permutation(n)
    rounds = np.arange(1, max(min(_PAIRS // n, (n - 1) // 2), 1) + 1)
    first, second = np.tile(order, len(rounds)), np.concatenate([np.roll(order, r) for r in rounds])
    found = ms_ssim(pictures[first], pictures[second])
    weights = bootstrap_weights(n, seed=seed)
    weights = weights[:, first] * weights[:, second]  # (repeats, pairs)
    resampled = (weights @ found) / weights.sum(axis=1)
    return _Among(float(found.mean()), resampled, len(found), n, scales_of(*pictures.shape[2:]))


def _brightness(images: Images) -> np.ndarray:
    """Return float64 pictures in [0, 1] of at most 128 pixels."""
    pictures = images.pixels.astype(np.float64) / 255
    while max(pictures.shape[2:]) > _LONGEST:
        pictures = halved(pictures)
    return pictures


def _paired(
    measure: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Callable[[EvalData, int], Score]:
    def compute(data: EvalData, seed: int) -> Score:
        real, made = counterparts(data.holdout, data.synthetic)
        if len(real) < _FEWEST_PAIRS:
            return Score(None, note=_NO_PAIRS)
        first, second = (v.samples.payload.pixels.astype(np.float64) / 255 for v in (real, made))
        values = measure(first, second)
        rows = bootstrap_rows(real.samples.subject_ids, seed=seed)
        return Score(
            float(values.mean()),
            percentile_interval([values[r].mean() for r in rows]),
            len(set(real.samples.subject_ids)),
            note=f"n = {len(values)} pairs",
        )

    return compute


paired_ssim = _paired(ssim)
paired_psnr = _paired(psnr)


def counterparts(real: View, synthetic: View) -> tuple[View, View]:
    """Return the real records that synthetic ones redo, and these, row by row, by sample id.

    Partners share the sample id (masks, where both have one, must agree), or else the subject, one
    record of each, and the mask.
    """
    common = sorted(set(real.samples.sample_ids) & set(synthetic.samples.sample_ids))
    if common:
        names = [np.asarray(v.samples.sample_ids, dtype=str) for v in (real, synthetic)]
    else:
        real, synthetic = one_per_subject(real), one_per_subject(synthetic)
        names = [np.asarray(v.samples.subject_ids, dtype=str) for v in (real, synthetic)]
        common = sorted(set(names[0]) & set(names[1]))
    by_id = bool(set(real.samples.sample_ids) & set(synthetic.samples.sample_ids))
    place = [{name: row for row, name in enumerate(own)} for own in names]
    rows = [np.array([p[name] for name in common], dtype=int) for p in place]
    real, synthetic = real.take(rows[0]), synthetic.take(rows[1])
    same = _same_masks(real.samples.payload, synthetic.samples.payload, without=by_id)
    return real.take(np.flatnonzero(same)), synthetic.take(np.flatnonzero(same))


def _same_masks(first: Images, second: Images, *, without: bool) -> np.ndarray:
    """Return which masks agree, bool (n,); ``without`` says what holds where one is missing."""
    if first.masks is None or second.masks is None or first.layout != second.layout:
        return np.full(len(first), without and first.pixels.shape == second.pixels.shape)
    equal = (first.masks == second.masks).all(axis=(1, 2, 3))
    return np.where(first.masked & second.masked, equal, without)
