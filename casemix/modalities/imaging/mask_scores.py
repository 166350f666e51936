"""Whether synthetic pictures show what their masks say, as a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from casemix.core.metric import EvalData, Score, View
from casemix.evaluation.statistics import bootstrap_rows, percentile_interval
from casemix.modalities.imaging.extractors import shuffled

if TYPE_CHECKING:
    from casemix.modalities.imaging.segmenter import Segmenter

_FEWEST = 8  # subjects whose picture has a mask
_MOST = 2000  # pictures per arm
_POOR = 0.5  # Dice on real held-out pairs below which the segmenter judges badly
_NO_MASKS = Score(
    None, note=f"An arm has fewer than {_FEWEST} subjects whose picture has a segmentation mask."
)


def mask_dice(data: EvalData, seed: int) -> Score:
    """Return the mean Dice of masks and of what a segmenter of real pictures sees."""
    arms = {"real": _masked(data.holdout), "synthetic": _masked(data.synthetic)}
    n = min(len(set(view.samples.subject_ids)) for view in arms.values())
    if n < _FEWEST:
        return _NO_MASKS
    # torch, which listing metrics must not load.
    from casemix.modalities.imaging import segmenter

    def fit(known: View) -> Segmenter:
        return segmenter.Segmenter.fit(shuffled(known).samples.payload)

    trained = data.once("imaging.segmenter", fit)
    found = {arm: trained.agreement(view.samples.payload) for arm, view in arms.items()}
    made = found["synthetic"]
    subjects = arms["synthetic"].samples.subject_ids
    draws = [_mean(made[rows]) for rows in bootstrap_rows(subjects, seed=seed)]
    real, value = _mean(found["real"]), _mean(made)
    interval = percentile_interval(draws)
    note = (
        f"{segmenter.NAME}; n = {len(made)} pictures of {n} subjects, held-out real Dice {real:.3f}"
    )
    if real < _POOR:
        note += "; the segmenter is poor on real pictures, so that it says little"
    elif interval[0] > real + 0.02:
        note += "; above real pairs: pictures caricature their masks, or are copies"
    structures = data.synthetic.samples.payload.mask_labels[1:]
    details = {
        "held_out_real": real,
        "by_structure": _named(structures, made),
        "held_out_real_by_structure": _named(structures, found["real"]),
    }
    return Score(value, interval, n, note=note, details=details)


def _masked(view: View) -> View:
    """Return the records whose picture has a mask, 2,000 random ones at most."""
    masked = shuffled(view.take(np.flatnonzero(view.samples.payload.masked)))
    return masked.take(np.arange(min(len(masked), _MOST)))


def _mean(dice: np.ndarray) -> float:
    """Return the mean over structures of their mean Dice; absent structures do not count."""
    known = np.isfinite(dice)
    there = known.any(axis=0)
    sums = np.where(known, dice, 0).sum(axis=0)[there]
    return float((sums / known.sum(axis=0)[there]).mean()) if there.any() else float("nan")


def _named(structures: tuple[str, ...], dice: np.ndarray) -> dict[str, float | None]:
    values = [_mean(dice[:, [k]]) for k in range(len(structures))]
    return {s: v if np.isfinite(v) else None for s, v in zip(structures, values, strict=True)}
