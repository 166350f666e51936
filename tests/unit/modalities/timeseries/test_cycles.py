"""Series of cycles: they are told from others, taken apart, and made with rhythm and shape kept."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind
from casemix.core.samples import Samples
from casemix.modalities.timeseries.channel_basis import ChannelBasis
from casemix.modalities.timeseries.cycle_model import CycleModel
from casemix.modalities.timeseries.cycle_noise import CycleNoise
from casemix.modalities.timeseries.cycles import CycleClock, covering
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.generators.flow import Flow
from casemix.modalities.timeseries.landmarks import find_landmarks
from casemix.modalities.timeseries.normal_scores import NormalScores
from casemix.modalities.timeseries.toy import toy

CHANNELS = tuple(Field(name, Kind.NUMERIC, "mV") for name in ("I", "II", "III"))
TIMES = 600


def beating(n: int = 60, *, seed: int = 0) -> tuple[Series, Conditions, list[np.ndarray]]:
    """Return beats of three leads (III = II - I), their conditions and the true landmarks.

    Severity sets the rate, group ``b`` doubles the late wave of each beat.
    """
    _, given = toy(n, seed=seed)
    rng = np.random.default_rng(seed)
    in_b = (given.rows["group"] == "b").to_numpy()
    values, truth = np.empty((n, TIMES, 3)), []
    for i, severity in enumerate(given.rows["severity"]):
        lasting = (100.0 - 45.0 * severity) * np.exp(0.04 * rng.normal(size=30))
        places = np.cumsum(lasting) - rng.uniform(0, 100)
        apart = np.arange(TIMES)[:, None] - places  # (t, beats)
        sharp = np.exp(-((apart / 2.0) ** 2)).sum(axis=1)
        late = np.exp(-(((apart - 22.0) / 6.0) ** 2)).sum(axis=1)
        first = rng.uniform(0.7, 1.3) * sharp + 0.2 * late
        second = sharp + 0.2 * (1 + in_b[i]) * late
        values[i] = np.stack([first, second, second - first], axis=1)
        truth.append(places[(places > 10) & (places < TIMES - 10)])
    noise = 0.02 * rng.normal(size=(n, TIMES, 2))
    values += np.stack([noise[..., 0], noise[..., 1], noise[..., 1] - noise[..., 0]], axis=2)
    return Series(np.round(values, 3), 0.01, CHANNELS), given, truth


@cache
def made() -> tuple[Series, Series, Conditions]:
    """Return training series, as many made ones, and the fresh conditions of these."""
    series, given, _ = beating(120)
    fresh = beating(120, seed=1)[1]
    data = Samples("timeseries", given.rows[["subject_id", "time"]], series)
    synthetic = Flow.tiny().fit(data, given, seed=0).generate(fresh, seed=2)
    return series, synthetic.payload, fresh


def test_landmarks_are_the_beats():
    series, _, truth = beating(20)
    for found, places in zip(find_landmarks(series.values), truth, strict=True):
        error = found[:, None] - places
        nearest = error[np.abs(error).argmin(axis=0), np.arange(len(places))]
        assert np.abs(nearest - np.median(nearest)).max() < 0.5
        assert len(places) <= len(found) <= len(places) + 2


def series_without_cycles(kind: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(60, TIMES, 2))
    if kind == "noise":
        return steps
    if kind == "walk":
        return steps.cumsum(axis=1)
    return np.sin(np.arange(TIMES) / 7)[None, :, None] * np.ones(2) + 0.01 * steps


@pytest.mark.parametrize("kind", ["noise", "walk", "sine with half cycles of either sign"])
def test_series_that_do_not_repeat_landmarks_are_left_to_the_network(kind):
    _, given = toy(60)
    series = Series(series_without_cycles(kind), 0.01, CHANNELS[:2])
    assert CycleModel.fit(series, given) is None


def test_series_with_gaps_or_few_rows_are_left_to_the_network():
    series, given, _ = beating()
    gappy = series.values.copy()
    gappy[0, 5, 1] = np.nan
    assert CycleModel.fit(series.like(gappy), given) is None
    assert CycleModel.fit(series.like(series.values[:, :100]), given) is None


def test_a_few_series_without_cycles_are_left_out():
    series, given, _ = beating()
    values = series.values.copy()
    values[:4] = np.random.default_rng(0).normal(size=values[:4].shape)
    assert CycleModel.fit(series.like(values), given) is not None
    values[:12] = np.random.default_rng(0).normal(size=values[:12].shape)
    assert CycleModel.fit(series.like(values), given) is None


def test_phases_are_rows_near_a_landmark_and_stretched_between():
    clock = CycleClock(80)
    phases, cycle = clock.phases(np.array([0.0, 120.0, 180.0]), 180)
    assert phases[[0, 10, 110, 119]] == pytest.approx([0, 10, 70, 79])
    assert np.diff(phases[40:80]) == pytest.approx(36 / 76)
    assert (cycle == np.repeat([0, 1], [120, 60])).all()
    assert (np.diff(phases[:120]) > 0).all()


def test_a_cycle_is_cut_as_it_was_laid():
    clock, rng = CycleClock(50), np.random.default_rng(0)
    smooth = np.cos(2 * np.pi * np.arange(50)[:, None] / 50 * np.array([1, 2]) + rng.random(2))
    landmarks = np.cumsum([-20.0, 55.3, 48.1, 60.2, 44.0, 51.0, 70.0])
    phases, _ = clock.phases(landmarks, 280)
    wave = clock.laid(smooth, phases)
    beats = clock.cut(wave, landmarks[1:-1])
    assert np.abs(beats - smooth).max() < 0.03


def test_landmarks_are_continued_to_both_ends():
    all_ = covering(np.array([100.0, 150.0, 200.0]), 300)
    assert all_.tolist() == [0, 50, 100, 150, 200, 250, 300]


def test_derived_channels_follow_from_the_kept():
    series, _, _ = beating(10)
    basis = ChannelBasis.fit(series.values - series.values.mean(axis=1, keepdims=True))
    assert basis.kept.tolist() == [0, 1]
    assert basis.weights[:, 2] == pytest.approx([-1, 1], abs=1e-2)


def test_noise_keeps_its_amplitude_and_is_loud_where_it_was():
    rng = np.random.default_rng(0)
    phases = np.tile(np.arange(50.0), (40, 8))
    loud = 1.75 + 1.25 * np.cos(phases * np.pi / 25)[..., None]
    left = loud * rng.normal(size=(40, 400, 1)) * np.linspace(0.1, 1, 40)[:, None, None]
    noise = CycleNoise.fit(left, phases, 50)
    amplitudes = noise.amplitudes(left, phases)
    drawn = np.stack([noise.draw(a, phases[0], rng.normal(size=(400, 1))) for a in amplitudes])
    assert drawn.std(axis=(1, 2)) == pytest.approx(left.std(axis=(1, 2)), rel=0.25)
    far = np.abs(phases[0] - 25)  # from the quietest phase
    ratio = [np.std(x[:, far > 15]) / np.std(x[:, far < 10]) for x in (left, drawn)]
    assert ratio[1] == pytest.approx(ratio[0], rel=0.2)


def test_normal_scores_are_undone():
    columns = np.random.default_rng(0).exponential(size=(300, 3))
    scores = NormalScores.fit(columns)
    back = scores.numbers(scores.scores(columns))
    assert np.abs(scores.scores(columns).std(axis=0) - 1).max() < 0.05
    inner = columns < np.quantile(columns, 0.95, axis=0)
    assert np.abs(back - columns)[inner].max() < 0.1


def usual_rate(series: Series) -> np.ndarray:
    """Return cycles per 100 rows of each series; NaN where none are found."""
    found = find_landmarks(series.values)
    return np.array([100 / np.median(np.diff(p)) if len(p) > 1 else np.nan for p in found])


def test_made_series_beat_at_the_rate_of_their_condition():
    _, synthetic, fresh = made()
    rate = usual_rate(synthetic)
    assert np.isnan(rate).mean() < 0.05
    known = ~np.isnan(rate)
    assert np.corrcoef(rate[known], fresh.rows["severity"][known])[0, 1] > 0.9


def test_made_beats_are_as_sharp_as_real_ones():
    series, synthetic, _ = made()
    steep = [
        np.abs(np.diff(s.values[..., 1], axis=1)).max(axis=1).mean() for s in (series, synthetic)
    ]
    assert steep[1] == pytest.approx(steep[0], rel=0.1)


def test_a_condition_shapes_the_beat():
    _, synthetic, fresh = made()
    in_b = (fresh.rows["group"] == "b").to_numpy()
    late = beat_at(synthetic, 22)
    assert np.nanmean(late[in_b]) / np.nanmean(late[~in_b]) == pytest.approx(2.0, rel=0.2)


def beat_at(series: Series, rows: int) -> np.ndarray:
    """Return the second channel this many rows after the second landmark, (n,); NaN if none."""
    found = find_landmarks(series.values)
    return np.array(
        [
            v[round(p[1]) + rows, 1] if len(p) else np.nan
            for v, p in zip(series.values, found, strict=True)
        ]
    )


def test_the_law_between_leads_holds_in_made_series():
    _, synthetic, _ = made()
    values = synthetic.values
    broken = np.abs(values[..., 2] - (values[..., 1] - values[..., 0]))
    # The rarest values are held within the range that their lead had in training.
    assert (broken > 0.0015).mean() < 0.002


def test_training_series_are_not_repeated_by_cycles():
    series, synthetic, _ = made()
    other = beating(120, seed=3)[0]
    to_train, usual = (nearest(synthetic.values, s.values) for s in (series, other))
    assert to_train > 0.8 * usual


def nearest(made_values: np.ndarray, values: np.ndarray) -> float:
    """Return the median distance of spectra to the nearest, which does not depend on phase."""
    first, second = (
        np.abs(np.fft.rfft(v, axis=1)).reshape(len(v), -1) for v in (made_values, values)
    )
    return float(np.median(np.linalg.norm(first[:, None] - second[None], axis=2).min(axis=1)))


def test_saved_cycles_draw_the_same_one_by_one(tmp_path):
    series, given, _ = beating()
    data = Samples("timeseries", given.rows[["subject_id", "time"]], series)
    model = Flow.tiny().fit(data, given, seed=0)
    model.save(tmp_path / "model")
    whole = model.generate(given, seed=1).payload.values
    alone = Flow.load(tmp_path / "model").generate(given.take([7]), seed=1).payload.values
    assert np.array_equal(alone[0], whole[7])
