"""Vital signs: order of pressures, resolution, informative gaps, events."""

from __future__ import annotations

import numpy as np
import pytest

from casemix.recipes.phantom.vitals import CHANNELS, record_vitals


@pytest.fixture(scope="module")
def patients(look):
    return look(400, "vitals")


@pytest.fixture(scope="module")
def record(patients):
    return record_vitals(patients.context, patients.state, patients.draws)


def channel(record, name):
    return record.values[..., CHANNELS.index(name)]


def test_systolic_is_always_above_diastolic(record):
    gap = channel(record, "systolic_bp") - channel(record, "diastolic_bp")
    assert np.nanmin(gap) > 0
    assert np.isfinite(gap).mean() > 0.4


def test_recorded_resolution(record):
    values = record.values[np.isfinite(record.values).all(axis=2)]
    assert len(values) > 100
    np.testing.assert_array_equal(values[:, :5], np.round(values[:, :5]))
    np.testing.assert_allclose(values[:, 5] * 10, np.round(values[:, 5] * 10), atol=1e-3)


def test_the_first_hour_is_complete(record):
    assert np.isfinite(record.values[:, 0]).all()


def test_the_sicker_are_measured_more_often(record, patients):
    density = np.isfinite(record.values).mean(axis=(1, 2))
    assert np.corrcoef(density, patients.state.severity)[0, 1] > 0.3


def test_temperature_is_taken_rarely(record):
    assert np.isfinite(channel(record, "temperature")).mean() < 0.35
    assert np.isfinite(channel(record, "heart_rate")).mean() > 0.65


@pytest.mark.parametrize(
    ("event", "name", "least"),
    [
        ("arrhythmia", "heart_rate", 15.0),
        ("hypotension", "systolic_bp", -12.0),
        ("desaturation", "spo2", -3.0),
    ],
)
def test_an_event_shows_in_its_channel(record, event, name, least):
    onset = getattr(record, event)
    rows = np.flatnonzero(np.isfinite(onset))
    assert 20 < len(rows) < 200
    hour = onset[rows].astype(int)
    values = channel(record, name).astype(float)
    change = values[rows, hour + 1] - np.nanmedian(values[rows], axis=1)
    mean = np.nanmean(change)
    assert mean > least if least > 0 else mean < least


def test_pressure_recovers_after_treated_hypotension(record):
    rows = np.flatnonzero(record.hypotension < 30)
    late = record.hypotension[rows].astype(int) + 14
    fell = channel(record, "systolic_bp")[rows, late - 13]
    recovered = channel(record, "systolic_bp")[rows, late]
    assert np.nanmean(recovered) > np.nanmean(fell) + 10
