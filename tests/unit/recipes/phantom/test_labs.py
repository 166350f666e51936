"""Laboratory values: formulas, resolution, and values that are missing for a reason."""

from __future__ import annotations

import numpy as np
import pytest

from casemix.recipes.phantom.labs import NYHA, REPORTED, egfr_ckd_epi, measure_labs


@pytest.fixture(scope="module")
def patients(look):
    return look(1500, "labs")


@pytest.fixture(scope="module")
def labs(patients):
    return measure_labs(patients.context, patients.state, patients.draws)


def test_values_have_the_recorded_resolution_and_range(labs):
    for name, (low, high, decimals) in REPORTED.items():
        values = labs[name].dropna()
        np.testing.assert_allclose(values, np.round(values, decimals), atol=1e-9)
        assert low <= values.min() < values.max() <= high


def test_egfr_matches_published_examples():
    # CKD-EPI 2021 by hand: ratio 1 leaves 142 x 0.9938^50 (x 1.012 in women).
    value = egfr_ckd_epi(np.array([0.9, 0.7]), np.array([50.0, 50.0]), np.array([0, 1]))
    np.testing.assert_allclose(value, 142 * 0.9938**50 * np.array([1.0, 1.012]))


def test_egfr_is_missing_exactly_where_creatinine_is(labs):
    assert labs["egfr"].isna().equals(labs["creatinine"].isna())


def test_troponin_is_missing_more_often_in_the_less_sick(labs, patients):
    missing = labs["troponin"].isna().to_numpy()
    assert patients.state.severity[missing].mean() < patients.state.severity[~missing].mean() - 0.1


def test_nyha_rises_with_severity(labs, patients):
    level = labs["nyha"].map({name: i for i, name in enumerate(NYHA)}).to_numpy(float)
    known = np.isfinite(level)
    assert 0.9 < known.mean() < 1.0
    assert np.corrcoef(level[known], patients.state.severity[known])[0, 1] > 0.3
