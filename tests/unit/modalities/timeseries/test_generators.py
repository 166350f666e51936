"""What is specific to series: gaps, memory, conditions, resolution and orders in what is made."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind
from casemix.core.generator import Generator
from casemix.core.samples import Samples
from casemix.core.training import TrainConfig
from casemix.errors import FitError
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.dependence import autocorrelation, gaps
from casemix.modalities.timeseries.generators import autoregressive, copy_training, flow, marginals
from casemix.modalities.timeseries.toy import CONDITIONS, toy

METHODS = ("autoregressive", "flow")


def unfitted(method: str) -> Generator:
    if method == "flow":
        train = TrainConfig(steps=300, batch_size=64, learning_rate=3e-3, warmup=10, ema_decay=0.98)
        config = flow.Config(hidden=48, layers=2, heads=2, solver_steps=8, train=train)
        return flow.Flow(config)
    train = TrainConfig(steps=120, batch_size=64, learning_rate=1e-2, warmup=10, ema_decay=0.98)
    return autoregressive.Autoregressive(autoregressive.Config(hidden=32, parts=2, train=train))


@cache
def made(method: str) -> tuple[Samples, Samples, Conditions]:
    """Return training series, and as many made ones for fresh conditions."""
    data, given = toy(200, seed=0)
    _, fresh = toy(200, seed=1)
    return data, unfitted(method).fit(data, given, seed=0).generate(fresh, seed=2), fresh


@pytest.mark.parametrize("method", METHODS)
def test_gaps_are_as_in_training(method):
    data, synthetic, _ = made(method)
    difference = gaps(synthetic.payload.values) - gaps(data.payload.values)
    assert np.abs(difference[:3]).max() < 0.08  # shares
    assert np.abs(difference[3:]).max() < 0.2  # correlations


@pytest.mark.parametrize("method", METHODS)
def test_neighbouring_times_resemble_each_other(method):
    data, synthetic, _ = made(method)
    real, found = (autocorrelation(s.payload.values)[0] for s in (data, synthetic))
    assert np.abs(real - found).max() < 0.15


@pytest.mark.parametrize("method", METHODS)
def test_a_condition_moves_the_series(method):
    _, synthetic, fresh = made(method)
    rate = np.nanmean(synthetic.payload.values[:, :, 0], axis=1)
    assert np.corrcoef(rate, fresh.rows["severity"])[0, 1] > 0.85
    pressure = np.nanmean(synthetic.payload.values[:, :, 1], axis=1)
    in_b = (fresh.rows["group"] == "b").to_numpy()
    assert pressure[in_b].mean() - pressure[~in_b].mean() == pytest.approx(25, abs=8)


@pytest.mark.parametrize("method", METHODS)
def test_the_recorded_resolution_is_kept(method):
    _, synthetic, _ = made(method)
    recorded = synthetic.payload.values[synthetic.payload.recorded]
    assert len(recorded) > 1000
    assert (recorded == np.rint(recorded)).all()


@pytest.mark.parametrize("method", METHODS)
def test_orders_of_channels_are_never_broken(method):
    data, synthetic, _ = made(method)
    pulse = [s.payload.values[:, :, 1] - s.payload.values[:, :, 2] for s in (data, synthetic)]
    assert np.nanmin(pulse[1]) >= np.nanmin(pulse[0])


@pytest.mark.parametrize("method", METHODS)
def test_training_series_are_not_repeated(method):
    data, synthetic, _ = made(method)
    train, new = (np.nan_to_num(s.payload.values).reshape(len(s), -1) for s in (data, synthetic))
    assert not (train[:, None] == new[None]).all(axis=2).any()


@pytest.mark.parametrize("method", METHODS)
def test_a_channel_without_records_stays_empty(method):
    data, given = toy(32, seed=0)
    values = data.payload.values.copy()
    values[:, :, 1] = np.nan
    empty = Samples("timeseries", data.index, data.payload.like(values))
    model = type(unfitted(method)).tiny().fit(empty, given, seed=0)
    synthetic = model.generate(given, seed=1).payload
    assert not synthetic.recorded[:, :, 1].any()
    assert synthetic.recorded[:, :, 0].any()


@pytest.mark.parametrize("method", METHODS)
def test_series_of_a_single_time_work(method):
    data, given = toy(32, seed=0)
    single = Samples("timeseries", data.index, data.payload.like(data.payload.values[:, :1]))
    model = type(unfitted(method)).tiny().fit(single, given, seed=0)
    assert model.generate(given, seed=1).payload.values.shape == (32, 1, 3)


@pytest.mark.parametrize("method", METHODS)
def test_too_few_series_are_refused(method):
    data, given = toy(8, seed=0)
    with pytest.raises(FitError, match="so few series"):
        type(unfitted(method)).tiny().fit(data, given, seed=0)


def waves(n: int = 24, t: int = 600) -> tuple[Samples, Conditions]:
    """Return beats of two channels, at a rate that severity sets."""
    _, given = toy(n, seed=0)
    rate = 0.8 + given.rows["severity"].to_numpy()
    phase = (np.arange(t)[None] * 0.01 * rate[:, None]) % 1.0
    beat = np.exp(-(((phase - 0.5) / 0.05) ** 2))
    values = np.round(np.stack([beat, -0.5 * beat], axis=2), 3)
    channels = tuple(Field(name, Kind.NUMERIC, "mV") for name in ("I", "V1"))
    return Samples(
        "timeseries", given.rows[["subject_id", "time"]], Series(values, 0.01, channels)
    ), given


def test_long_series_go_to_the_flow():
    data, given = waves()
    with pytest.raises(FitError, match="timeseries/flow"):
        autoregressive.Autoregressive.tiny().fit(data, given, seed=0)
    synthetic = flow.Flow.tiny().fit(data, given, seed=0).generate(given, seed=1)
    values = synthetic.payload.values
    assert values.shape == (24, 600, 2)
    assert np.isfinite(values).all()
    assert np.allclose(values, np.round(values, 3), atol=1e-6)


def test_marginals_keep_cells_and_lose_conditions():
    data, given = toy(200, seed=0)
    synthetic = marginals.Marginals().fit(data, given, seed=0).generate(given, seed=1)
    rate = np.nanmean(synthetic.payload.values[:, :, 0], axis=1)
    assert abs(np.corrcoef(rate, given.rows["severity"])[0, 1]) < 0.25
    difference = gaps(synthetic.payload.values)[:3] - gaps(data.payload.values)[:3]
    assert np.abs(difference).max() < 0.03
    assert np.nanmin(synthetic.payload.values[:, :, 1] - synthetic.payload.values[:, :, 2]) < 30


def test_copies_are_training_series():
    data, given = toy(40, seed=0)
    synthetic = copy_training.CopyTraining().fit(data, given, seed=0).generate(given, seed=1)
    train = np.nan_to_num(data.payload.values).reshape(40, -1)
    for series in np.nan_to_num(synthetic.payload.values).reshape(40, -1):
        assert (train == series).all(axis=1).any()


def test_record_level_fields_come_from_the_conditions_or_stay_missing():
    data, given = toy(20, seed=0)
    ward = Field("ward", Kind.CATEGORICAL, levels=("icu", "ward"))
    schema = type(CONDITIONS)((CONDITIONS["group"], ward))
    index = data.index.assign(group=given.rows["group"], ward="icu")
    tagged = Samples("timeseries", index, data.payload, schema)
    model = copy_training.CopyTraining().fit(tagged, given, seed=0)
    synthetic = model.generate(given, seed=1)
    assert synthetic.schema == schema
    pd.testing.assert_series_equal(synthetic.index["group"], given.rows["group"])
    assert synthetic.index["ward"].isna().all()
