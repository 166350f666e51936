"""Utility of pictures with masks: a segmenter trained on them, tested on real held-out pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from casemix.core.metric import EvalData, Family, Goal, Metric, Score
from casemix.core.training import TrainConfig
from casemix.errors import EvaluationError
from casemix.evaluation.statistics import Estimate, bootstrap_rows, percentile_interval
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.reduction import reduced_masks, reduced_pictures
from casemix.modalities.imaging.segmenter import Segmenter, dice

_FEWEST = 8  # real held-out pictures with a mask
_SIDE = 32  # pixels, most: three segmenters are trained, one per arm
_TRAIN = TrainConfig(steps=200, batch_size=16, learning_rate=3e-3, warmup=20, ema_decay=0.98)


@dataclass(frozen=True)
class Segmentation:
    """How well a segmenter trained on one cohort's pairs segments real held-out pictures.

    Attributes:
        dice: mean over the structures of the mean Dice over the pictures that have them.
        by_structure: mean Dice of each structure.
    """

    dice: Estimate
    by_structure: dict[str, float]


def segmentation_utility(
    train: Images,
    test: Images,
    *,
    test_subjects: npt.ArrayLike | None = None,
    config: TrainConfig = _TRAIN,
    seed: int,
) -> Segmentation:
    """Train a U-Net on pictures and their masks, test it on real held-out ones.

    It reads and is judged at 32 pixels a side at most.

    Args:
        train: pictures of which at least 16 have a mask.
        test: real held-out pictures of the same layout, at least 8 with a mask.
        test_subjects: subject of each test picture, for the interval; each its own if None.
        config: how to train; the network's seed is its own.
        seed: seed of the bootstrap over test subjects; the segmenter is held fixed.

    Raises:
        EvaluationError: too few pictures with a mask, or pictures of another layout.

    Reference:
        Dice LR, Ecology 1945; Ronneberger et al., U-Net, MICCAI 2015.
    """
    if train.layout != test.layout:
        raise EvaluationError(
            "The training pictures have another layout than the test pictures.",
            given=train.layout.to_json(),
            allowed=test.layout.to_json(),
        )
    there = np.flatnonzero(test.masked)
    if len(there) < _FEWEST:
        raise EvaluationError(
            "There are too few real held-out pictures with a mask to test a segmenter on.",
            given=len(there),
            allowed=f"at least {_FEWEST}",
        )
    masked = test.take(there)
    train, masked = _small(train), _small(masked)
    found = Segmenter.fit(train, config)(masked)
    names = masked.mask_labels[1:]
    overlap = dice(found, reduced_masks(masked).numpy(), len(names) + 1)  # (n, structures)
    subjects = np.arange(len(test)) if test_subjects is None else np.asarray(test_subjects)
    samples = bootstrap_rows(subjects[there], seed=seed)
    interval = percentile_interval([_mean(overlap[rows]) for rows in samples])
    by_structure = dict(zip(names, _by_structure(overlap).tolist(), strict=True))
    return Segmentation(Estimate(_mean(overlap), interval, len(there)), by_structure)


def _by_structure(overlap: np.ndarray) -> np.ndarray:
    """Return the mean of each column (structures,); NaN where no picture has the structure."""
    known = ~np.isnan(overlap)
    total = np.where(known, overlap, 0.0).sum(axis=0)
    return np.divide(total, known.sum(axis=0), out=np.full(len(total), np.nan), where=total >= 0)


def _mean(overlap: np.ndarray) -> float:
    means = _by_structure(overlap)
    return float(means[~np.isnan(means)].mean())


def _small(images: Images) -> Images:
    """Return pictures and masks of at most 32 pixels a side."""
    pictures, masks = reduced_pictures(images), reduced_masks(images).to(torch.uint8)
    height, width = pictures.shape[2:]
    if max(height, width) > _SIDE:
        size = (height // 2, width // 2)  # of at most 64
        pictures = F.interpolate(pictures, size, mode="area")
        masks = F.interpolate(masks, size, mode="nearest-exact")
    pixels = (pictures * 255).round().to(torch.uint8).numpy()
    return Images(pixels, images.channels, masks.numpy(), images.mask_labels, images.masked)


def _compute(data: EvalData, seed: int) -> Score:
    train, test = data.synthetic.in_order(), data.holdout.in_order()
    if not data.train.samples.payload.layout.mask_frames:
        return Score(None, note="These pictures have no masks.")
    found = segmentation_utility(
        train.samples.payload,
        test.samples.payload,
        test_subjects=test.samples.subject_ids,
        seed=seed,
    )
    pairs = int(train.samples.payload.masked.sum())
    note = f"U-Net trained on {pairs} pairs of at most {_SIDE} px"
    details = {"dice": found.by_structure, "pictures": found.dice.n}
    n = len(set(test.samples.subject_ids))
    return Score(found.dice.value, found.dice.interval, n, note=note, details=details)


SEGMENTATION_UTILITY = Metric(
    "segmentation_utility",
    Family.UTILITY,
    Goal.MAXIMISE,
    (0.0, 1.0),
    _compute,
    description="Mean Dice (1945) on real held-out pictures of a U-Net trained on the pairs of "
    "picture and mask under test; the ceiling trains on as many real pairs. It reads pictures "
    "of 32 px at most: compare with the ceiling only. Intervals resample test subjects.",
    modalities=frozenset({"imaging"}),
)
