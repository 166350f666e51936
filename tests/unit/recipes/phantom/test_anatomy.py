"""Group definitions and the geometry of volumes."""

from __future__ import annotations

import numpy as np
import pytest

from casemix.recipes.phantom.anatomy import lv_area, lv_mass, lv_volume
from casemix.recipes.phantom.context import GROUPS


@pytest.fixture(scope="module")
def patients(look):
    return look(2000, "imaging")


@pytest.mark.parametrize(
    ("group", "low", "high"),
    [
        ("normal", 50, 75),
        ("dilated", 5, 40),
        ("hypertrophic", 55, 85),
        ("infarction", 10, 40),
        ("abnormal_rv", 45, 70),
    ],
)
def test_ejection_fraction_lies_in_the_groups_range(patients, group, low, high):
    values = patients.state.lv_ef[patients.context.group == GROUPS.index(group)]
    assert len(values) > 200
    assert low <= values.min() < values.max() <= high


def test_group_definitions_hold_for_everyone(patients):
    group, state = patients.context.group, patients.state
    body = patients.context.body_surface
    assert ((state.lv_edv / body)[group == GROUPS.index("dilated")] > 100).all()
    assert (state.wall_thickness[group == GROUPS.index("hypertrophic")] >= 15).all()
    assert (state.wall_thickness[group == GROUPS.index("normal")] <= 12).all()
    right = group == GROUPS.index("abnormal_rv")
    assert ((state.rv_edv / body)[right] >= 110).all()
    assert (state.rv_ef[right] < 40).all()


def test_only_infarction_has_a_scar(patients):
    infarction = patients.context.group == GROUPS.index("infarction")
    assert (patients.state.infarct_site[infarction] >= 0).all()
    assert (patients.state.infarct_site[~infarction] == -1).all()


def test_healthy_ejection_fractions_match_the_published_means(patients):
    healthy = patients.context.group == 0
    women = patients.context.female == 1
    assert patients.state.lv_ef[healthy & women].mean() == pytest.approx(61, abs=1.5)
    assert patients.state.lv_ef[healthy & ~women].mean() == pytest.approx(58, abs=2.0)


def test_area_and_volume_are_inverse():
    volume = np.array([60.0, 150.0, 400.0])
    np.testing.assert_allclose(lv_volume(lv_area(volume)), volume)


def test_mass_grows_with_the_wall_and_vanishes_without_it():
    mass = lv_mass(np.full(3, 150.0), np.array([0.0, 7.0, 9.0]))
    assert mass[0] == pytest.approx(0.0, abs=1e-6)
    assert 90 < mass[1] < mass[2]
