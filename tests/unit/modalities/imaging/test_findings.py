from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core import seeding
from casemix.core.samples import Samples
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.findings import (
    area_ejection_fraction,
    findings,
    findings_schema,
    noise_level,
    ring_thickness,
)

LABELS = ("background", "right_ventricle", "myocardium", "left_ventricle")


def samples(images):
    ids = [f"s{i}" for i in range(len(images))]
    index = pd.DataFrame({"subject_id": ids, "time": 0.0}, index=pd.Index(ids))
    return Samples("imaging", index, images)


def discs(inner, outer, size=64):
    """One mask: a left ventricle of radius ``inner`` in a wall up to ``outer``."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    rho = np.hypot(y, x)
    return np.where(rho < inner, 3, np.where(rho < outer, 2, 0)).astype(np.uint8)


def heart(ed, es):
    masks = np.stack([discs(*ed), discs(*es)])[None]
    return Images(np.full((1, 2, 64, 64), 100, dtype=np.uint8), ("ED", "ES"), masks, LABELS)


def found(images):
    return findings(samples(images), findings_schema(images.layout)).iloc[0]


def test_ejection_fraction_follows_the_areas():
    values = found(heart((16, 20), (8, 16)))
    # Radii halve, so volumes fall to an eighth.
    assert values["imaging.lv_ejection_fraction"] == pytest.approx(87.5, abs=1.0)
    assert area_ejection_fraction(np.array([0.0]), np.array([5.0]))[0] != 0  # missing, not 0


def test_wall_thickness_is_that_of_the_ring():
    values = found(heart((12, 17), (8, 17)))
    assert values["imaging.ed.myocardial_thickness"] == pytest.approx(5.0, abs=0.15)
    assert values["imaging.es.myocardial_thickness"] == pytest.approx(9.0, abs=0.15)
    assert np.isnan(ring_thickness(np.array([0.0]), np.array([9.0])))


def test_areas_are_shares_of_the_picture():
    values = found(heart((12, 17), (8, 17)))
    assert values["imaging.ed.left_ventricle.area"] == pytest.approx(
        100 * np.pi * 12**2 / 64**2, rel=0.02
    )


def test_a_picture_without_a_mask_has_no_areas_but_brightness():
    images = heart((12, 17), (8, 17))
    bare = Images(images.pixels, images.channels, 0 * images.masks, LABELS, np.array([False]))
    values = found(bare)
    assert values["imaging.ed.brightness"] == pytest.approx(100 * 100 / 255)
    assert values.filter(like="area").isna().all()
    assert np.isnan(values["imaging.lv_ejection_fraction"])


def test_noise_is_measured_and_edges_are_not_taken_for_it():
    noise = 0.05 * seeding.generator(0).standard_normal((1, 64, 64))
    step = np.where(np.arange(64) < 32, 0.2, 0.8)[None, None] * np.ones((1, 64, 1))
    assert noise_level(0.5 + noise)[0] == pytest.approx(0.05, rel=0.05)
    assert noise_level(step)[0] < 1e-6


def test_colour_pictures_have_one_set_of_findings_and_no_heart():
    pixels = np.zeros((1, 3, 8, 8), dtype=np.uint8)
    pixels[0, 1] = 255
    schema = findings_schema(Images(pixels, ("R", "G", "B")).layout)
    assert schema.names == tuple(
        f"imaging.{n}" for n in ("brightness", "contrast", "sharpness", "noise")
    )
    assert found(Images(pixels, ("R", "G", "B")))["imaging.brightness"] == pytest.approx(58.7)
