from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from casemix.core.training import TrainConfig
from casemix.errors import EvaluationError
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.segmentation_utility import segmentation_utility
from casemix.modalities.imaging.toy import toy

_QUICK = TrainConfig(steps=100, batch_size=16, learning_rate=5e-3, warmup=10, ema_decay=0.9)


def pairs(n: int, seed: int) -> Images:
    return toy(n, seed=seed)[0].payload


def with_masks_of_others(images: Images, share: float) -> Images:
    """The first pictures get each other's masks."""
    masks = images.masks.copy()
    few = round(share * len(images))
    masks[:few] = np.roll(masks[:few], 1, axis=0)
    return replace(images, masks=masks)


def test_dice_falls_with_the_share_of_wrong_masks():
    test = pairs(40, 1)
    found = [
        segmentation_utility(
            with_masks_of_others(pairs(64, 0), share), test, config=_QUICK, seed=0
        ).dice
        for share in (0.0, 0.5, 1.0)
    ]
    values = [dice.value for dice in found]
    assert values[0] > 0.85
    assert values == sorted(values, reverse=True)
    assert values[2] < values[0] - 0.1
    assert found[0].interval[0] < values[0] < found[0].interval[1]
    assert found[0].n == 40


def test_structures_are_named_and_pictures_without_a_mask_take_no_part():
    whole = pairs(64, 0)
    there = np.arange(64) % 2 == 0
    masks = whole.masks * there[:, None, None, None]
    test = Images(whole.pixels, whole.channels, masks, whole.mask_labels, there)
    found = segmentation_utility(whole, test, config=_QUICK, seed=0)
    assert list(found.by_structure) == ["wall", "cavity"]
    assert found.dice.n == 32
    assert found.dice.value == pytest.approx(np.mean(list(found.by_structure.values())))


def test_intervals_resample_subjects():
    train, test = pairs(48, 0), pairs(12, 1)
    many = Images.concat([test] * 6)
    subjects = np.tile(np.arange(12), 6)
    grouped = segmentation_utility(train, many, test_subjects=subjects, config=_QUICK, seed=0)
    single = segmentation_utility(train, many, config=_QUICK, seed=0)
    widths = [np.ptp(s.dice.interval) for s in (grouped, single)]
    assert widths[0] > 1.5 * widths[1]


def test_too_few_pairs_and_pictures_without_masks_are_errors():
    whole = pairs(40, 0)
    with pytest.raises(EvaluationError, match="held-out pictures with a mask"):
        segmentation_utility(whole, whole.take(np.arange(5)), seed=0)
    with pytest.raises(EvaluationError, match="too few"):
        segmentation_utility(whole.take(np.arange(5)), whole, seed=0)
    with pytest.raises(EvaluationError, match="another layout"):
        segmentation_utility(Images(whole.pixels, whole.channels), whole, seed=0)
