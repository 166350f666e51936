from __future__ import annotations

import numpy as np

from casemix.modalities.imaging.shapes import ShapeSpace, mask_poses
from casemix.modalities.imaging.toy import toy


def dice(a, b, label):
    return 2 * ((a == label) & (b == label)).sum() / ((a == label).sum() + (b == label).sum())


def test_unseen_masks_come_back_from_their_code():
    train, fresh = toy(64, seed=0)[0].payload.masks, toy(32, seed=1)[0].payload.masks
    space = ShapeSpace.fit(train, 3, most_axes=16)
    again = space.decode(space.encode(fresh))
    assert again.shape == fresh.shape
    assert dice(again, fresh, 2) > 0.95
    assert dice(again, fresh, 1) > 0.85


def test_a_moved_mask_changes_its_pose_and_not_its_shape():
    masks = np.pad(toy(64, seed=0)[0].payload.masks, ((0, 0), (0, 0), (8, 8), (8, 8)))
    space = ShapeSpace.fit(masks, 3, most_axes=8)
    moved = np.roll(masks, 2, axis=2)
    assert np.allclose(mask_poses(moved)[:, 0] - mask_poses(masks)[:, 0], 2)
    assert np.abs(space.encode(moved)[:, 3:] - space.encode(masks)[:, 3:]).max() < 0.05


def test_a_decoded_mask_does_not_depend_on_the_others():
    masks = toy(64, seed=0)[0].payload.masks
    space = ShapeSpace.fit(masks, 3, most_axes=8)
    codes = space.encode(masks)
    assert np.array_equal(space.decode(codes)[5:6], space.decode(codes[5:6]))


def test_an_empty_mask_stays_empty():
    masks = toy(64, seed=0)[0].payload.masks.copy()
    masks[:20] = 0
    space = ShapeSpace.fit(masks, 3, most_axes=16)
    again = space.decode(space.encode(masks))
    assert (again[:20] == 0).mean() > 0.99
    assert dice(again[20:], masks[20:], 2) > 0.8


def test_empty_masks_do_not_count_as_large_ones():
    masks = toy(64, seed=0)[0].payload.masks.copy()
    masks[:20] = 0
    with_empty = ShapeSpace.fit(masks, 3, most_axes=16)
    without = ShapeSpace.fit(masks[20:], 3, most_axes=16)
    assert np.array_equal(with_empty.pose, without.pose)
    assert np.allclose(with_empty.encode(masks)[:20, :3], 0, atol=1e-5)


def test_nothing_but_empty_masks_is_learnt_as_that():
    masks = np.zeros((8, 1, 16, 16), dtype=np.uint8)
    space = ShapeSpace.fit(masks, 3, most_axes=4)
    assert not space.decode(space.encode(masks)).any()
