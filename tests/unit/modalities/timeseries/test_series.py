from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from casemix.core.fields import Field, Kind
from casemix.errors import PayloadError
from casemix.modalities.timeseries.data import Series

PULSE = Field("pulse", Kind.NUMERIC, "/min", range=(20, 250))
LEAD = Field("lead", Kind.NUMERIC, "mV")


def series(n: int = 3, t: int = 4, *, step: float = 3600.0) -> Series:
    rng = np.random.default_rng(0)
    values = 80 + rng.normal(size=(n, t, 2)).astype(np.float32)
    values[0, 1, 0] = np.nan
    values[1, :, 1] = np.nan
    return Series(values, step, (PULSE, LEAD))


@pytest.mark.parametrize("t", [1, 4, 1000])
def test_a_table_keeps_every_bit(t):
    before = series(t=t) if t > 1 else Series(np.full((2, 1, 1), 0.1), 0.01, (LEAD,))
    after = Series.from_table(before.to_table())
    assert after.values.dtype == np.float32
    assert np.array_equal(after.values.view(np.int32), before.values.view(np.int32))
    assert (after.step_seconds, after.channels) == (before.step_seconds, before.channels)


def test_a_slice_of_a_table_holds_its_own_rows():
    before = series(5)
    after = Series.from_table(before.to_table().slice(2, 2))
    assert np.array_equal(after.values, before.values[2:4], equal_nan=True)


def test_take_and_concat_keep_order():
    whole = series(5)
    parts = Series.concat([whole.take(np.array([3, 4])), whole.take(np.array([0, 1, 2]))])
    assert np.array_equal(parts.values, whole.values[[3, 4, 0, 1, 2]], equal_nan=True)


def test_series_on_other_grids_cannot_be_joined():
    with pytest.raises(PayloadError, match="same times and channels"):
        Series.concat([series(), series(step=60.0)])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 3)), "shape"),
        (np.zeros((2, 0, 2)), "shape"),
        (np.zeros((2, 3, 1)), "one field per channel"),
        (np.full((2, 3, 2), np.inf), "sample 0, time 0, channel 'pulse'"),
        (np.full((2, 3, 2), 19.0), "20.0 to 250.0 /min"),
    ],
)
def test_values_outside_the_contract_are_refused(values, message):
    with pytest.raises(PayloadError, match=message):
        Series(values, 3600.0, (PULSE, LEAD))


def test_a_range_holds_in_single_precision():
    narrow = Field("x", Kind.NUMERIC, range=(0.0, 0.1))
    assert len(Series(np.full((1, 1, 1), np.float32(0.1)), 1.0, (narrow,))) == 1


@pytest.mark.parametrize("step", [0.0, -1.0, float("nan")])
def test_a_step_must_be_positive(step):
    with pytest.raises(PayloadError, match="positive"):
        series(step=step)


def test_a_sample_that_is_cut_short_is_named():
    table = series().to_table()
    lists = table["lead"].to_pylist()
    lists[2] = lists[2][:-1]
    damaged = table.set_column(1, "lead", pa.array(lists, type=pa.list_(pa.float32())))
    with pytest.raises(PayloadError, match="Sample 2 is cut short"):
        Series.from_table(damaged)


def test_a_table_without_its_description_is_refused():
    with pytest.raises(PayloadError, match="does not say what its channels are"):
        Series.from_table(series().to_table().replace_schema_metadata(None))


def test_previews_use_hours_for_vitals_and_seconds_for_waveforms():
    vitals, ecg = series().preview(0), series(step=0.01).preview(0)
    assert (vitals["unit_x"], vitals["x"]) == ("h", [0.0, 1.0, 2.0, 3.0])
    assert (ecg["unit_x"], ecg["x"]) == ("s", [0.0, 0.01, 0.02, 0.03])
    assert vitals["channels"][0]["y"][1] is None
