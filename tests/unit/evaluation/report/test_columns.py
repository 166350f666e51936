"""Columns of two cohorts: which are found, and what their pictures hold."""

from __future__ import annotations

import hostile
import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Kind
from casemix.evaluation.report.columns import Column, columns, least_alike
from casemix.evaluation.report.figures import marginal


def column(real, made, kind=Kind.NUMERIC):
    return Column("x", "", "context", kind, pd.Series(real), pd.Series(made))


def test_context_and_table_columns_are_found():
    found = columns(hostile.cohort(20, "phantom"), hostile.cohort(15, "synthetic", seed=2))
    sources = [(c.name, c.source, c.kind) for c in found]
    assert sources[0] == ("age", "context", Kind.NUMERIC)
    assert ("sodium", "tabular", Kind.NUMERIC) in sources
    assert (hostile.SCRIPT, "tabular", Kind.CATEGORICAL) in sources
    assert len(found) == 6


def test_missing_cells_are_counted():
    sodium = next(
        c
        for c in columns(hostile.cohort(20, "phantom"), hostile.cohort(10, "synthetic"))
        if c.name == "sodium"
    )
    assert sodium.missing == pytest.approx((0.2, 0.2))


def test_bins_hold_all_values_of_both_cohorts():
    bins = column([0.0, 1.0, 2.0, np.nan], [5.0, 10.0]).summary
    assert (bins.low, bins.high, bins.log) == (0.0, 10.0, False)
    assert sum(bins.reference) == pytest.approx(1)
    assert sum(bins.synthetic) == pytest.approx(1)


def test_skewed_positive_values_get_a_log_axis():
    bins = column([1.0, 2.0, 3.0], [2.0, 500.0]).summary
    assert bins.log
    assert sum(bins.reference) == sum(bins.synthetic) == pytest.approx(1)


def test_constant_column_has_a_picture():
    assert "<svg" in marginal(column([3.0, 3.0], [3.0]))


def test_column_that_is_empty_in_the_synthetic_cohort_has_a_picture():
    assert "<svg" in marginal(column([1.0, 2.0], [np.nan, np.nan]))


def test_codes_are_counted_per_subject():
    codes = column([["I10", "E11"], ["I10"]], [["I10"], []], Kind.CODES)
    assert codes.summary.names[0] == "I10"
    assert codes.summary.reference[0] == pytest.approx(1)
    assert codes.summary.synthetic[0] == pytest.approx(0.5)


def test_least_alike_columns_are_chosen_in_their_old_order():
    good, bad, worse = (column([0.0, 1.0, 2.0], [a, a + 1, a + 2]) for a in (0.0, 1.0, 50.0))
    assert least_alike([worse, good, bad], 2) == [worse, bad]
