from __future__ import annotations

import numpy as np
import pytest

from casemix.core import seeding
from casemix.modalities.imaging.canvas import Canvas
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.picture_code import add_grain, grain_levels


def smooth_and_noise():
    ramp = np.linspace(0, 1, 64, dtype=np.float32) * np.ones((1, 1, 64, 1), dtype=np.float32)
    noise = seeding.generator(0).standard_normal((1, 1, 64, 64))
    return ramp, noise


def test_grain_is_measured_as_it_was_added():
    smooth, noise = smooth_and_noise()
    levels = np.log(np.array([[0.02, 0.05, 0.10]], dtype=np.float32) + 1e-3)
    grainy = add_grain(smooth, levels, noise)
    measured = np.exp(grain_levels(grainy, smooth))[0] - 1e-3
    # Each third of the brightness is averaged, so the ends are drawn to the middle.
    assert measured == pytest.approx([0.026, 0.053, 0.090], rel=0.2)


def test_a_misplaced_edge_is_not_taken_for_grain():
    smooth, _ = smooth_and_noise()
    moved = smooth.copy()
    moved[:, :, :, 20:24] += 0.5
    assert np.exp(grain_levels(moved, smooth)).max() < 0.005


@pytest.mark.parametrize("size", [(16, 16), (13, 11), (33, 20)])
def test_the_canvas_returns_the_very_pixels(size):
    pixels = seeding.generator(0).integers(0, 256, (5, 2, *size)).astype(np.uint8)
    canvas = Canvas.fit(Images(pixels, ("ED", "ES")), 8)
    framed = canvas.pictures(pixels)
    assert all(side % (4 * canvas.patch) == 0 for side in framed.shape[2:])
    assert np.array_equal(canvas.pixels(canvas.brightness(framed)), pixels)
