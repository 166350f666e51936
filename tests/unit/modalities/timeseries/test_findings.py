from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Field, Kind
from casemix.core.samples import Samples
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.findings import findings, findings_schema


def samples(values: np.ndarray, step: float = 3600.0) -> Samples:
    values = np.asarray(values, dtype=np.float32)
    channels = tuple(Field(f"c{i}", Kind.NUMERIC, "mV") for i in range(values.shape[2]))
    index = pd.DataFrame(
        {"subject_id": "s", "time": 0.0}, index=[f"r{i}" for i in range(len(values))]
    )
    return Samples("timeseries", index, Series(values, step, channels))


def test_summaries_of_a_straight_line():
    line = np.array([1.0, np.nan, 5.0, 7.0])[None, :, None]  # 2 per step
    row = findings(samples(line, step=1800.0)).iloc[0]
    assert row["timeseries.c0.slope"] == pytest.approx(4.0)  # per hour
    assert row["timeseries.c0.mean"] == pytest.approx(13 / 3)
    assert (row["timeseries.c0.min"], row["timeseries.c0.max"]) == (1.0, 7.0)
    assert row["timeseries.c0.recorded_share"] == 0.75


def test_a_channel_that_was_never_recorded_has_missing_findings():
    values = np.zeros((1, 4, 2))
    values[:, :, 1] = np.nan
    row = findings(samples(values)).iloc[0]
    assert row["timeseries.c1.recorded_share"] == 0
    others = [n for n in row.index if ".c1." in n and not n.endswith("recorded_share")]
    assert len(others) == 5
    assert row[others].isna().all()


def test_a_single_record_has_no_spread_and_no_slope():
    row = findings(samples(np.full((1, 1, 1), 3.0))).iloc[0]
    assert row["timeseries.c0.mean"] == 3.0
    assert row[["timeseries.c0.std", "timeseries.c0.slope"]].isna().all()


def test_many_channels_get_fewer_summaries():
    assert len(findings_schema(samples(np.zeros((1, 4, 8))).payload.channels)) == 48
    assert len(findings_schema(samples(np.zeros((1, 4, 12))).payload.channels)) == 36
