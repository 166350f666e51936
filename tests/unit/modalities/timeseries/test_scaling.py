from __future__ import annotations

import numpy as np
import pytest

from casemix.modalities.timeseries.scaling import ChannelScale, resolution


def grid(step: float, n: int = 200, t: int = 20) -> np.ndarray:
    raw = np.random.default_rng(0).normal(50, 10, size=(n, t, 1))
    return (np.round(raw / step) * step).astype(np.float32)


@pytest.mark.parametrize("step", [0.005, 0.1, 1.0, 5.0])
def test_the_recorded_resolution_is_found(step):
    assert resolution(grid(step)) == pytest.approx(step, rel=1e-3)


def test_continuous_values_have_no_resolution():
    assert resolution(np.random.default_rng(0).normal(size=5000).astype(np.float32)) == 0.0


@pytest.mark.parametrize("step", [0.005, 0.1, 1.0])
def test_recorded_values_come_back_and_gaps_stay(step):
    values = grid(step)
    values[values > 65] = np.nan
    scale = ChannelScale.fit(values)
    low, high = scale.channels[0].bounds
    lower, upper = scale.encode(values)
    for place in (0.05, 0.5, 0.95):
        scaled = np.where(np.isnan(values), np.nan, lower + place * (upper - lower))
        expected = np.clip(values, np.float32(low), np.float32(high))
        assert np.allclose(scale.decode(scaled), expected, atol=step / 100, equal_nan=True)


def test_a_number_goes_to_the_middle_of_its_interval():
    values = grid(1.0)
    scale = ChannelScale.fit(values)
    lower, upper = scale.encode(values)
    near_the_end = (lower + 0.9 * (upper - lower))[..., 0]
    assert np.allclose(scale.middle(0, near_the_end), ((lower + upper) / 2)[..., 0], atol=1e-5)


def test_uneven_levels_are_the_only_values_made():
    levels = np.array([0.21, 0.4, 0.5, 0.6, 1.0])  # inspired oxygen
    chosen = np.random.default_rng(0).choice(levels, size=(30, 10, 1))
    made = ChannelScale.fit(chosen).decode(np.random.default_rng(1).normal(size=(50, 10, 1)))
    assert set(np.unique(made)) == set(levels.astype(np.float32))


def test_many_distinct_values_are_rounded_to_their_grid():
    values = np.cumsum(np.full((1, 4000, 1), 0.25), axis=1).astype(np.float32)
    made = ChannelScale.fit(values).decode(np.random.default_rng(0).normal(size=(1, 500, 1)))
    assert np.allclose(made * 4, np.rint(made * 4))


def test_a_very_skewed_channel_is_scaled_by_its_logarithm():
    rng = np.random.default_rng(0)
    values = np.exp(rng.normal(0, 1.5, size=(200, 20, 1)))
    scale = ChannelScale.fit(values)
    assert scale.channels[0].logged
    assert np.abs(scale.encode(values)[0]).max() < 5
    made = scale.decode(rng.normal(size=(200, 20, 1)))
    assert np.log(made).std() == pytest.approx(1.5, abs=0.15)
    assert np.isfinite(scale.decode(np.full((1, 1, 1), 1e6))).all()


def test_a_channel_that_was_never_recorded_stays_so():
    values = np.full((20, 5, 2), np.nan, dtype=np.float32)
    values[:, :, 0] = 1.0
    scale = ChannelScale.fit(values)
    made = scale.decode(np.zeros((3, 5, 2)))
    assert np.isnan(made[:, :, 1]).all()
    assert (made[:, :, 0] == 1.0).all()
    assert (scale.middle(1, np.zeros(3)) == 0).all()


def test_waveforms_keep_their_shape_and_lose_artefacts():
    rng = np.random.default_rng(0)
    values = np.round(rng.normal(0, 0.2, size=(50, 400, 1)), 3).astype(np.float32)
    values[0, 0, 0] = -11.0
    scale = ChannelScale.fit(values)
    lower, upper = scale.encode(values)
    again = scale.decode((lower + upper) / 2)
    assert again.min() > -2
    assert np.quantile(np.abs(again - values), 0.99) < 1e-4
    assert scale.channels[0].step == pytest.approx(0.001, rel=1e-3)


@pytest.mark.parametrize("step", [0.0, 0.1, 1.0])
def test_arrays_hold_the_whole_scale(step):
    values = grid(step) if step else np.random.default_rng(0).normal(size=(50, 40, 1))
    scale = ChannelScale.fit(values)
    again = ChannelScale.from_arrays(scale.arrays())
    scaled = np.random.default_rng(1).normal(size=(20, 10, 1))
    assert np.array_equal(again.decode(scaled), scale.decode(scaled))
