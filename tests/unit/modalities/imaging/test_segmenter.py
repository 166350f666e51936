from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from casemix.core.training import TrainConfig
from casemix.errors import EvaluationError
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.segmenter import Segmenter, dice
from casemix.modalities.imaging.toy import toy

SHORT = TrainConfig(steps=80, batch_size=16, learning_rate=3e-3, warmup=10, ema_decay=0.9)


@pytest.fixture(scope="module")
def trained():
    return Segmenter.fit(toy(64, seed=0)[0].payload, SHORT)


def test_dice_is_the_f1_score_of_pixels():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 3, size=(2, 4, 2, 8, 8))
    wanted = [
        [f1_score((x == k).ravel(), (y == k).ravel()) for k in (1, 2)]
        for x, y in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(dice(a, b, 3), wanted)


def test_dice_of_a_structure_that_neither_mask_has_is_undefined():
    empty, full = np.zeros((1, 1, 4, 4), dtype=int), np.ones((1, 1, 4, 4), dtype=int)
    assert np.isnan(dice(empty, empty, 2)).all()
    assert dice(full, empty, 2)[0, 0] == 0


def test_it_learns_to_see_the_masks_of_new_pictures(trained):
    new = toy(32, seed=1)[0].payload
    assert trained.agreement(new).mean() > 0.9
    swapped = replace(new, masks=np.roll(new.masks, 1, axis=0))
    assert trained.agreement(swapped).mean() < 0.7


def test_the_same_pictures_train_the_same_network(trained):
    again = Segmenter.fit(toy(64, seed=0)[0].payload, SHORT)
    new = toy(8, seed=1)[0].payload
    np.testing.assert_array_equal(trained(new), again(new))


def test_pictures_without_a_mask_do_not_train():
    images = toy(40, seed=0)[0].payload
    there = np.arange(40) < 8
    few = replace(images, masks=images.masks * there[:, None, None, None], has_mask=there)
    with pytest.raises(EvaluationError, match="at least 16"):
        Segmenter.fit(few, SHORT)


def test_another_layout_is_an_error(trained):
    other = Images(np.zeros((2, 1, 32, 32), dtype=np.uint8), ("intensity",))
    with pytest.raises(EvaluationError, match="another layout"):
        trained(other)


def test_large_pictures_with_one_mask_per_frame():
    rng = np.random.default_rng(0)
    masks = np.zeros((20, 2, 96, 80), dtype=np.uint8)
    for row, top in enumerate(rng.integers(10, 50, size=20)):
        masks[row, :, top : top + 30, 20:60] = 1
    pixels = (50 + 100 * masks + rng.integers(0, 9, masks.shape)).astype(np.uint8)
    images = Images(pixels, ("ED", "ES"), masks, ("background", "heart"))
    found = Segmenter.fit(images, replace(SHORT, steps=40, batch_size=8))
    assert found(images).shape == (20, 2, 64, 56)
    assert found.agreement(images).mean() > 0.9
