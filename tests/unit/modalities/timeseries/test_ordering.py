from __future__ import annotations

import numpy as np

from casemix.core.fields import Field, Kind
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.ordering import Order, find_orders, repair
from casemix.modalities.timeseries.toy import toy

PRESSURES = tuple(Field(n, Kind.NUMERIC, "mm[Hg]") for n in ("low", "mean", "high"))


def pressures() -> np.ndarray:
    low = np.round(np.random.default_rng(0).normal(70, 8, size=(40, 10)))
    return np.stack([low, low + 10, low + 45], axis=2)


def test_orders_are_found_among_channels_of_one_unit():
    found = find_orders(Series(pressures(), 3600.0, PRESSURES))
    assert {(o.upper, o.lower, o.gap) for o in found} == {(1, 0, 10.0), (2, 0, 45.0), (2, 1, 35.0)}


def test_channels_of_other_units_are_not_compared():
    channels = (PRESSURES[0], Field("rate", Kind.NUMERIC, "/min"), Field("x", Kind.NUMERIC))
    assert find_orders(Series(pressures(), 3600.0, channels)) == ()


def test_one_exception_is_enough_to_have_no_order():
    values = pressures()
    values[3, 3] = 80.0
    assert find_orders(Series(values, 3600.0, PRESSURES)) == ()


def test_the_toy_pressures_are_ordered():
    samples, _ = toy(64, seed=0)
    assert [(o.upper, o.lower) for o in find_orders(samples.payload)] == [(1, 2)]


def test_repair_mends_broken_cells_only_and_keeps_gaps():
    values = np.array([[[60.0, 120.0], [130.0, 90.0], [np.nan, 80.0], [70.0, np.nan]]])
    mended = repair(values, (Order(upper=1, lower=0, gap=20.0),))
    expected = [[[60.0, 120.0], [70.0, 90.0], [np.nan, 80.0], [70.0, np.nan]]]
    assert np.array_equal(mended, expected, equal_nan=True)


def test_a_chain_of_orders_is_mended_in_one_go():
    orders = find_orders(Series(pressures(), 3600.0, PRESSURES))
    mended = repair(np.array([[[90.0, 80.0, 60.0]]]), orders)[0, 0]
    assert mended[2] - mended[1] >= 35
    assert mended[1] - mended[0] >= 10
