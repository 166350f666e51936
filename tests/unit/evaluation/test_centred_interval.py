from __future__ import annotations

import numpy as np
import pytest

from casemix.evaluation.centred_interval import centred_interval
from casemix.evaluation.statistics import percentile_interval


def test_it_is_as_wide_as_the_percentile_interval_and_holds_the_value():
    draws = np.random.default_rng(0).normal(5.0, 1.0, 200)
    low, high = centred_interval(4.0, draws)
    wide = percentile_interval(draws)
    assert low < 4.0 < high
    assert high - low == pytest.approx(wide[1] - wide[0])


def test_bounds_cut_it():
    assert centred_interval(0.01, np.linspace(0.0, 1.0, 101), (0.0, 1.0))[0] == 0.0


def test_undefined_draws_do_not_count():
    found = centred_interval(0.0, [-1.0, np.nan, 1.0])
    assert found == pytest.approx(centred_interval(0.0, [-1.0, 1.0]))
    assert np.isnan(centred_interval(0.0, [np.nan, np.nan])).all()
    assert np.isnan(centred_interval(0.0, [np.nan, np.nan, 1.0])).all()
