from __future__ import annotations

import numpy as np
import pytest

from casemix.modalities.timeseries.scaling import NormalScores, resolution
from casemix.modalities.timeseries.waveform_scale import WaveformScale


def grid(step: float, n: int = 200, t: int = 20) -> np.ndarray:
    raw = np.random.default_rng(0).normal(50, 10, size=(n, t, 1))
    return (np.round(raw / step) * step).astype(np.float32)


@pytest.mark.parametrize("step", [0.005, 0.1, 1.0, 5.0])
def test_the_recorded_resolution_is_found(step):
    assert resolution(grid(step)) == pytest.approx(step, rel=1e-3)


def test_continuous_values_have_no_resolution():
    assert resolution(np.random.default_rng(0).normal(size=5000).astype(np.float32)) == 0.0


@pytest.mark.parametrize("step", [0.5, 1.0])
def test_few_distinct_values_come_back_exactly(step):
    values = grid(step)
    values[values > 65] = np.nan
    scale = NormalScores.fit(values)
    for scores in scale.encode(values):
        inside = np.where(np.isnan(values), np.nan, scores)
        assert np.isnan(scale.decode(inside)[np.isnan(values)]).all()
    lower, upper = scale.encode(values)
    middle = np.where(np.isnan(values), np.nan, (lower + upper) / 2)
    assert np.array_equal(scale.decode(middle), values, equal_nan=True)


def test_a_score_goes_to_the_middle_of_its_interval():
    values = grid(1.0)
    scale = NormalScores.fit(values)
    lower, upper = scale.encode(values)
    near_the_end = lower[..., 0] + 0.9 * (upper - lower)[..., 0]
    middle = ((lower + upper) / 2)[..., 0]
    assert np.allclose(scale.middle(0, near_the_end), middle, atol=1e-5)


def test_normal_noise_decodes_to_the_recorded_distribution():
    values = grid(1.0)
    values[:, :, 0][np.random.default_rng(1).random(values.shape[:2]) < 0.3] = 50  # heaping
    noise = np.random.default_rng(2).normal(size=values.shape)
    made = NormalScores.fit(values).decode(noise)
    assert abs((made == 50).mean() - (values == 50).mean()) < 0.03
    assert abs(made.mean() - values.mean()) < 0.5


def test_many_distinct_values_are_rounded_to_their_grid():
    values = np.cumsum(np.full((1, 4000, 1), 0.25), axis=1).astype(np.float32)
    made = NormalScores.fit(values).decode(np.random.default_rng(0).normal(size=(1, 500, 1)))
    assert np.allclose(made * 4, np.rint(made * 4))


def test_a_channel_that_was_never_recorded_stays_so():
    values = np.full((20, 5, 2), np.nan, dtype=np.float32)
    values[:, :, 0] = 1.0
    for scale in (NormalScores.fit(values), WaveformScale.fit(values)):
        made = scale.decode(np.zeros((3, 5, 2)))
        assert np.isnan(made[:, :, 1]).all()
        assert (made[:, :, 0] == 1.0).all()


def test_waveforms_keep_their_shape_and_lose_artefacts():
    rng = np.random.default_rng(0)
    values = np.round(rng.normal(0, 0.2, size=(50, 400, 1)), 3).astype(np.float32)
    values[0, 0, 0] = -11.0
    scale = WaveformScale.fit(values)
    lower, upper = scale.encode(values)
    again = scale.decode((lower + upper) / 2)
    assert again.min() > -2
    assert np.abs(again - values)[1:].max() < 0.2  # the outermost values are held at the bounds
    assert np.quantile(np.abs(again - values), 0.99) < 1e-4
    assert scale.steps[0] == pytest.approx(0.001, rel=1e-3)
