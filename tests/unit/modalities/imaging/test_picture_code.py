from __future__ import annotations

import numpy as np
import pytest

from casemix.core import seeding
from casemix.modalities.imaging.canvas import Canvas
from casemix.modalities.imaging.coloured_grain import add_grain, channel_mixing, grain_levels
from casemix.modalities.imaging.data import Images


def smooth_and_noise(n=1):
    ramp = np.linspace(0, 1, 64, dtype=np.float32) * np.ones((1, 1, 64, 1), dtype=np.float32)
    noise = seeding.generator(0).standard_normal((n, 1, 64, 64))
    return ramp, noise


def test_grain_is_measured_as_it_was_added():
    smooth, noise = smooth_and_noise()
    curve = np.log(np.array([[0.02, 0.05, 0.10]], dtype=np.float32) + 1e-3)
    grainy = add_grain(smooth, np.pad(curve, ((0, 0), (0, 3))), noise)
    found = grain_levels(grainy, smooth, 3)[0]
    # Each third of the brightness is averaged, so the ends are drawn to the middle.
    assert np.exp(found[:3]) - 1e-3 == pytest.approx([0.026, 0.053, 0.090], rel=0.2)
    assert np.abs(found[3:]).max() < 0.5  # white


def test_coarse_grain_comes_back_as_coarse():
    middle, noise = np.full((8, 1, 64, 64), 0.5, dtype=np.float32), smooth_and_noise(8)[1]
    coloured = np.array([-3.5, -3.5, -3.5, 0.5, 1.0, 1.5], dtype=np.float32)
    grainy = add_grain(middle, np.tile(coloured, (8, 1)), noise)
    found = grain_levels(grainy, middle, 3).mean(axis=0)
    assert np.allclose(found, coloured, atol=0.35)


def test_channels_share_their_grain_as_far_as_they_did():
    noise = smooth_and_noise(8)[1]
    shared = np.concatenate([noise, 0.6 * noise + 0.8 * noise[::-1]], axis=1)
    root = channel_mixing(shared, np.zeros_like(shared))
    assert (root @ root.T)[0, 1] == pytest.approx(0.6, abs=0.03)


def test_a_misplaced_edge_is_not_taken_for_grain():
    smooth, _ = smooth_and_noise()
    moved = smooth.copy()
    moved[:, :, :, 20:24] += 0.5
    assert np.exp(grain_levels(moved, smooth, 0)).max() < 0.005


@pytest.mark.parametrize("size", [(16, 16), (13, 11), (33, 20)])
def test_the_canvas_returns_the_very_pixels(size):
    pixels = seeding.generator(0).integers(0, 256, (5, 2, *size)).astype(np.uint8)
    canvas = Canvas.fit(Images(pixels, ("ED", "ES")), 8)
    framed = canvas.pictures(pixels)
    assert all(side % (4 * canvas.patch) == 0 for side in framed.shape[2:])
    assert np.array_equal(canvas.pixels(canvas.brightness(framed)), pixels)
