"""Pictures and masks: areas that mean volumes, layers that lie where they should."""

from __future__ import annotations

import numpy as np
import pytest

from casemix.recipes.phantom.anatomy import lv_volume
from casemix.recipes.phantom.geometry import draw_contours, enclosed_area
from casemix.recipes.phantom.mri import examine
from casemix.recipes.phantom.scanner import VENDORS, acquire

RV, MYOCARDIUM, LV = 1, 2, 3


@pytest.fixture(scope="module")
def patients(look):
    return look(60, "imaging")


@pytest.fixture(scope="module")
def pictures(patients):
    return examine(patients.context, patients.state, patients.draws)


@pytest.fixture(scope="module")
def contours(patients):
    return draw_contours(patients.context, patients.state, patients.draws)


def areas(masks, label):
    return (masks == label).sum(axis=(2, 3))


def test_ejection_fraction_of_the_mask_is_the_true_one(pictures, patients):
    area = areas(pictures.masks, LV)
    measured = 100 * (1 - (area[:, 1] / area[:, 0]) ** 1.5)
    assert np.abs(measured - patients.state.lv_ef).max() < 3.0


def test_cavity_volume_of_the_mask_is_the_true_one(pictures, patients):
    area = areas(pictures.masks, LV)[:, 0] * pictures.fields["pixel_spacing"].to_numpy() ** 2
    np.testing.assert_allclose(lv_volume(area), patients.state.lv_edv, rtol=0.06)


def test_right_ventricle_area_shrinks_as_its_ejection_fraction_says(pictures, patients):
    area = areas(pictures.masks, RV)
    measured = 100 * (1 - (area[:, 1] / area[:, 0]) ** 1.5)
    assert np.abs(measured - patients.state.rv_ef).max() < 8.0
    assert np.abs(measured - patients.state.rv_ef).mean() < 2.0


def test_the_wall_thickens_in_systole_and_the_heart_does_not_grow(contours):
    wall = contours.epi - contours.endo
    assert (wall[:, 1].mean(axis=1) > wall[:, 0].mean(axis=1)).all()
    assert (enclosed_area(contours.epi[:, 1]) < enclosed_area(contours.epi[:, 0])).all()


def test_a_scar_is_thin_and_does_not_thicken(contours, patients):
    scarred = patients.state.infarct_site >= 0
    wall = (contours.epi - contours.endo)[scarred]
    thinnest = wall[:, 0].argmin(axis=1)
    rows = np.arange(len(wall))
    assert len(rows) > 5
    thickening = wall[rows, 1, thinnest] / wall[rows, 0, thinnest]
    assert thickening.max() < 1.1
    assert (wall[:, 0].min(axis=1) < 0.7 * wall[:, 0].max(axis=1)).all()


def test_hypertrophy_is_septal(contours, patients):
    thick = patients.context.group == 2
    wall = (contours.epi - contours.endo)[thick, 0]
    np.testing.assert_allclose(wall.max(axis=1), patients.state.wall_thickness[thick], rtol=0.02)
    assert (wall.min(axis=1) < 0.6 * wall.max(axis=1)).all()


def test_the_heart_lies_inside_the_picture(pictures):
    heart = pictures.masks > 0
    edge = np.zeros((64, 64), dtype=bool)
    edge[[0, -1], :] = edge[:, [0, -1]] = True
    assert not heart[..., edge].any()


def test_the_left_ventricle_is_enclosed_by_myocardium(pictures):
    left = pictures.masks == LV
    for axis, step in ((2, 1), (2, -1), (3, 1), (3, -1)):
        outside = np.roll(pictures.masks, step, axis=axis)[left]
        assert np.isin(outside, (LV, MYOCARDIUM)).all()


def test_blood_is_brighter_than_muscle_in_every_picture(pictures):
    for image, mask in zip(pictures.images, pictures.masks, strict=True):
        assert np.median(image[mask == LV]) > 1.3 * np.median(image[mask == MYOCARDIUM])


def test_vendors_differ_in_noise(patients):
    flat = np.full((60, 2, 64, 64), 0.05, dtype=np.float32)
    spread = [
        acquire(flat, np.full(60, v), patients.draws).std(axis=(2, 3)).mean()
        for v in range(len(VENDORS))
    ]
    assert len({round(s, 1) for s in spread}) == len(VENDORS)


def test_noise_where_there_is_no_signal_is_rician(patients):
    air = np.zeros((60, 2, 64, 64), dtype=np.float32)
    shown = acquire(air, np.zeros(60, dtype=int), patients.draws) / 255.0 * VENDORS[0].gain
    # Without signal the magnitude is Rayleigh: its mean is sigma x sqrt(pi / 2).
    assert shown.mean() == pytest.approx(VENDORS[0].noise * np.sqrt(np.pi / 2), rel=0.02)
