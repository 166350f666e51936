"""The maths behind the metrics of series, against SciPy, scikit-learn and known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lombscargle, periodogram
from scipy.spatial.distance import cdist, pdist
from scipy.stats import energy_distance, ks_2samp, wasserstein_distance
from sklearn.linear_model import Ridge

from casemix.core.fields import Field, Kind
from casemix.errors import EvaluationError
from casemix.modalities.timeseries.context_frechet import context_frechet
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.discriminator import (
    discriminate,
    on_grid,
    origins,
    steps,
)
from casemix.modalities.timeseries.distances import kolmogorov_smirnov, wasserstein, with_missing
from casemix.modalities.timeseries.distributions import joint_energy, time_marginals
from casemix.modalities.timeseries.observation import (
    informativeness,
    lengths,
    observation_distances,
)
from casemix.modalities.timeseries.prediction import (
    forecast_errors,
    forecaster,
    histories,
)
from casemix.modalities.timeseries.spectra import lomb_scargle, octave_power, spectral_distance


def once(*arms: np.ndarray) -> tuple[np.ndarray, ...]:
    """Weights that count every series once."""
    return tuple(np.ones((1, len(arm))) for arm in arms)


def gappy(rng: np.random.Generator, n: int, t: int, c: int) -> np.ndarray:
    values = rng.normal(size=(n, t, c))
    return np.where(rng.random(values.shape) < 0.7, values, np.nan)


def test_distances_of_weighted_samples_are_scipys():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 9, size=40).astype(float), rng.normal(4.0, 3.0, size=25)
    drawn = rng.integers(0, 4, size=(2, 40)), rng.integers(0, 4, size=(2, 25))
    for r in range(2):
        weights = drawn[0][r : r + 1].astype(float), drawn[1][r : r + 1].astype(float)
        many = np.repeat(first, drawn[0][r]), np.repeat(second, drawn[1][r])
        assert kolmogorov_smirnov(first, second, weights) == pytest.approx(
            ks_2samp(*many).statistic
        )
        assert wasserstein(first, second, weights) == pytest.approx(wasserstein_distance(*many))


def test_missing_values_have_a_share_of_their_own():
    first, second = np.array([1.0, 2.0, np.nan, np.nan]), np.array([1.0, 2.0, 3.0, np.nan])
    known = ks_2samp([1, 2], [1, 2, 3]).statistic
    assert with_missing(first, second, once(first, second)) == pytest.approx(0.25 + 0.5 * known)
    absent = np.full(3, np.nan)
    assert with_missing(absent, absent, once(absent, absent)) == pytest.approx(0.0)
    assert with_missing(first, absent, once(first, absent)) == pytest.approx(0.5)


def test_time_marginals_find_the_channel_and_the_time_that_changed():
    rng = np.random.default_rng(0)
    real, made = gappy(rng, 400, 24, 2), gappy(rng, 400, 24, 2)
    made[:, 12:, 1] += 3.0
    found = time_marginals(real, made, once(real, made))[0]
    assert found.shape == (2, 24)
    assert found[1, 12:].max() < 0.6 < 0.8 < min(found[0].min(), found[1, :12].min())


def test_joint_energy_of_one_channel_and_time_is_scipys_without_pairs_of_one_subject():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=60), rng.normal(1.0, 1.0, size=50)
    within = pdist(x[:, None]).mean(), pdist(y[:, None]).mean()
    # SciPy's estimate counts each point as a pair with itself.
    plain = within[0] * 59 / 60 + within[1] * 49 / 50
    between = energy_distance(x, y) ** 2 + plain  # 2 E|X - Y|
    found = joint_energy(x[:, None, None], y[:, None, None], seed=0)
    assert found.value == pytest.approx(1 - sum(within) / between)
    assert between == pytest.approx(2 * cdist(x[:, None], y[:, None]).mean())


def test_the_joint_test_is_calibrated_for_several_series_per_subject():
    rng = np.random.default_rng(0)
    subjects = np.repeat(np.arange(20), 3)

    def arm():
        return rng.normal(size=(20, 6, 2))[subjects] + 0.3 * rng.normal(size=(60, 6, 2))

    p_values = [
        joint_energy(
            arm(),
            arm(),
            subjects_real=subjects,
            subjects_synthetic=subjects,
            seed=k,
            permutations=99,
        ).p_value
        for k in range(100)
    ]
    assert 0.4 < np.mean(p_values) < 0.6
    assert np.mean(np.array(p_values) <= 0.1) < 0.2


def test_joint_energy_sees_ties_between_channels_that_marginals_do_not():
    rng = np.random.default_rng(0)
    tied = rng.normal(size=(200, 12, 1)) * np.array([1.0, 1.0])
    loose = rng.normal(size=(200, 12, 2))
    assert time_marginals(tied, loose, once(tied, loose)).mean() > 0.85
    assert joint_energy(tied, loose, seed=0).p_value < 0.01


def test_power_without_gaps_is_the_periodogram():
    values = np.random.default_rng(0).normal(size=(5, 33))
    _, expected = periodogram(values, detrend="constant", scaling="density")
    # One-sided, so twice; the zero frequency is left out.
    assert lomb_scargle(values) == pytest.approx(expected[:, 1:] / 2)


def test_power_with_gaps_is_scipys_lomb_scargle():
    values = gappy(np.random.default_rng(0), 6, 40, 1)[:, :, 0]
    found = lomb_scargle(values)
    for row, power in zip(values, found, strict=True):
        when = np.flatnonzero(~np.isnan(row))
        angular = 2 * np.pi * np.arange(1, 20) / 40
        expected = lombscargle(when.astype(float), row[when] - row[when].mean(), angular)
        assert power == pytest.approx(expected)


def test_a_series_of_few_records_has_no_spectrum():
    values = np.full((2, 30, 1), np.nan)
    values[0, :7], values[1, :8] = 1.0, np.arange(8)[:, None]
    power = octave_power(values)
    assert np.isnan(power[0]).all()
    assert not np.isnan(power[1]).all()
    with pytest.raises(EvaluationError, match="too short"):
        spectral_distance(values[:, :5], values[:, :5], once(values, values))
    with pytest.raises(EvaluationError, match="No channel has a spectrum"):
        spectral_distance(values[:1], values[:1], once(values[:1], values[:1]))


def test_twice_the_amplitude_is_six_decibels_in_each_octave():
    values = np.random.default_rng(0).normal(size=(20, 64, 2))
    found = spectral_distance(values, 2 * values, once(values, values))
    assert found == pytest.approx(np.full((1, 2, 5), 20 * np.log10(2)))


def test_a_flat_channel_is_at_the_threshold_of_silence_and_not_at_infinity():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(30, 32, 1))
    found = spectral_distance(values, np.zeros_like(values), once(values, values))
    assert 50 < found.mean() < 65


def test_lengths_of_a_known_pattern():
    recorded = np.array([[1, 0, 0, 1, 1, 0], [0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 0, 1]], dtype=bool)
    expected = {
        "records": ([3, 0, 4], [0, 1, 2]),
        "gaps": ([2, 1], [0, 2]),
        "runs": ([1, 2, 3, 1], [0, 0, 2, 2]),
        "since_last": ([1, 2, 3, 1, 1] + [6] * 5 + [6, 1, 1, 1, 2], [0] * 5 + [1] * 5 + [2] * 5),
    }
    for part, (values, series) in expected.items():
        found = lengths(recorded, part)
        assert found.values.tolist() == values
        assert found.series.tolist() == series
    with pytest.raises(EvaluationError, match="Unknown aspect"):
        lengths(recorded, "pauses")


def test_gaps_that_one_arm_alone_has_are_as_far_as_can_be():
    full, holed = np.ones((12, 10, 1), dtype=bool), np.ones((12, 10, 1), dtype=bool)
    holed[:, 4] = False
    found = observation_distances(full, holed, once(full, holed))
    assert found[0, :, 0] == pytest.approx([1.0, 1.0, 1.0, 1 / 9])
    with pytest.raises(EvaluationError, match="no observation process"):
        observation_distances(full, full, once(full, full))


def test_informativeness_is_the_correlation_with_the_next_record():
    rng = np.random.default_rng(0)
    values = gappy(rng, 30, 20, 2)
    values[:, 1:, 1] = np.where(values[:, :-1, 0] > 0, 1.0, np.nan)  # high a, then b
    found = informativeness(values, np.ones((1, 30)))[0]
    for a in range(2):
        for b in range(2):
            known = ~np.isnan(values[:, :-1, a])
            later = ~np.isnan(values[:, 1:, b])[known]
            if a == 1:  # always 1 or nearly so
                continue
            expected = np.corrcoef(values[:, :-1, a][known], later)[0, 1]
            assert found[a, b] == pytest.approx(expected)
    assert found[0, 1] > 0.7
    complete = rng.normal(size=(30, 20, 2))
    assert np.isnan(informativeness(complete, np.ones((1, 30)))).all()


def series(values: np.ndarray, low: float = -100.0, high: float = 100.0) -> Series:
    channels = tuple(
        Field(f"c{i}", Kind.NUMERIC, range=(low, high)) for i in range(values.shape[2])
    )
    return Series(values, 3600.0, channels)


def test_values_are_put_on_the_grid_of_the_real_ones_and_stay_in_range():
    rng = np.random.default_rng(0)
    real = series(np.round(rng.normal(36.8, 0.5, size=(50, 10, 1)), 1))
    step = steps(real)
    assert step == pytest.approx([0.1])
    origin = origins(real, step)
    assert origin == pytest.approx([0.0])
    assert np.array_equal(on_grid(real, origin, step).values, real.values)  # bit by bit
    free = series(rng.normal(36.8, 0.5, size=(50, 10, 1)), high=37.0 + 2.0)
    moved = on_grid(free, origin, step)
    assert np.array_equal(np.unique(moved.values * 10), np.unique(np.rint(moved.values * 10)))
    assert np.abs(moved.values - free.values).max() <= 0.0501
    odd = series(np.round(rng.normal(size=(50, 10, 1))) + 0.5)
    assert np.array_equal(on_grid(odd, origins(odd, steps(odd)), steps(odd)).values, odd.values)


def test_a_channel_without_a_grid_is_left_alone():
    free = series(np.random.default_rng(0).normal(size=(50, 10, 1)))
    assert steps(free) == pytest.approx([0.0])
    assert np.array_equal(on_grid(free, np.zeros(1), np.zeros(1)).values, free.values)


def test_discrimination_is_chance_for_equal_and_near_half_for_distant_features():
    rng = np.random.default_rng(0)
    real, fresh = rng.normal(size=(2, 200, 30))
    same, far = (discriminate(real, made, seed=0) for made in (fresh, fresh + 1.0))
    assert same.score < 0.08
    assert same.p_value > 0.05
    assert far.score > 0.4
    assert far.auc > 0.95
    assert far.p_value < 0.01


def test_the_forecaster_is_scikit_learns_ridge():
    values = gappy(np.random.default_rng(0), 20, 15, 2)
    inputs, targets = (a.reshape(-1, a.shape[2]) for a in histories(values))
    known = ~np.isnan(targets[:, 1])
    ridge = Ridge(alpha=1e-3 * known.sum()).fit(inputs[known, 1:], targets[known, 1])
    found = forecaster(values)[:, 1]
    assert found[0] == pytest.approx(ridge.intercept_, abs=1e-6)
    assert found[1:] == pytest.approx(ridge.coef_, abs=1e-6)


def test_the_forecaster_of_an_ar1_series_errs_as_little_as_its_noise():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 50, 1))
    for t in range(1, 50):
        values[:, t] = 0.8 * values[:, t - 1] + 0.6 * values[:, t]
    sums, counts = forecast_errors(forecaster(values[:200]), values[200:])
    assert sums.sum() / counts.sum() == pytest.approx(0.6 * np.sqrt(2 / np.pi), rel=0.02)


def test_histories_hold_the_past_and_never_the_future():
    values = np.arange(12.0).reshape(1, 12, 1)
    values[0, 5] = np.nan
    inputs, targets = histories(values)
    assert inputs.shape == (1, 11, 1 + 2 * 8)
    assert inputs[0, 6, 1::2].tolist() == [0, 0, 1, 2, 3, 4, 4, 6]  # at time 6, gap held
    assert inputs[0, 6, 2::2].tolist() == [0, 1, 1, 1, 1, 1, 0, 1]
    assert targets[0, 6, 0] == 7.0
    assert np.isnan(targets[0, 4, 0])


def test_frechet_distance_of_shifted_normals_and_its_interval():
    rng = np.random.default_rng(0)
    wide = [
        context_frechet(
            rng.normal(size=(n, 2)),
            rng.normal(size=(n, 2)) + 1.0,
            subjects_real=np.arange(n),
            subjects_synthetic=np.arange(n),
        )
        for n in (60, 600)
    ]
    assert wide[1][0] == pytest.approx(2.0, abs=0.3)
    assert all(low < 2.0 < high for _, (low, high) in wide)
    assert wide[1][1][1] - wide[1][1][0] < wide[0][1][1] - wide[0][1][0]
