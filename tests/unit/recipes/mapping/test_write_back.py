"""What was read is written back: the same columns, cells and gaps, other ids, shifted dates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.recipes.mapping.layout import from_json, plan, to_json
from casemix.recipes.mapping.write_back import written
from casemix.recipes.tables import raw_table, read_cohorts

DATES = ["admitted", "discharged", "seen"]


def frame(n=60):
    rng = np.random.default_rng(0)
    day = pd.Timestamp("2019-01-01") + pd.to_timedelta(np.sort(rng.permutation(900)[:n]), unit="d")
    minute = day + pd.to_timedelta(rng.integers(0, 1440, n), unit="min")
    return pd.DataFrame(
        {
            "Mrn": [f"A{i // 2:03d}" for i in range(n)],
            "row": np.arange(n) + 500,
            "sex": np.repeat(rng.choice(["F", "M"], n // 2), 2),
            "ward": rng.choice(["a", "b", "?"], n),
            "Größe (cm)": rng.normal(170, 9, n).round(1),
            "visits": rng.integers(0, 9, n),
            "flag": rng.choice([True, False], n),
            "nothing": None,
            "comment": [f"free text {i}" for i in range(n)],
            "admitted": minute.strftime("%d.%m.%Y %H:%M"),
            "discharged": (minute + pd.to_timedelta(rng.integers(60, 9000, n), unit="min")),
            "seen": minute.strftime("%H:%M:%S"),
            "lab": np.where(rng.random(n) < 0.2, -999, rng.integers(1, 30, n)),
        }
    )


@pytest.fixture(params=["csv", "parquet"])
def both(request, tmp_path):
    path = tmp_path / f"table.{request.param}"
    if request.param == "csv":
        frame().to_csv(path, index=False, sep=";")
    else:
        frame().to_parquet(path)
    read = read_cohorts({"data": path})
    columns = from_json(to_json(plan(raw_table(path, read.spec), read.spec)))
    table = written(read.cohorts["data"], columns, seed=3)
    if request.param == "csv":
        table.to_csv(path, index=False)
        return frame(), pd.read_csv(path)
    return frame(), table.reset_index(drop=True)


def test_cells_gaps_and_order_of_columns_are_those_of_the_input(both):
    real, made = both
    assert list(made) == list(real)
    for name in ("sex", "ward", "Größe (cm)", "visits", "flag", "lab"):
        assert made[name].tolist() == real[name].tolist(), name
    assert made[["nothing", "comment"]].isna().all(axis=None)


def test_ids_are_new_and_keep_rows_together(both):
    real, made = both
    assert not set(made["Mrn"]) - set(real["Mrn"])  # the ids of the cohort that is written
    assert made["row"].tolist() == list(range(1000, 1060))


def test_dates_are_shifted_by_whole_weeks_and_times_of_day_are_not(both):
    real, made = both
    forms = {"admitted": "%d.%m.%Y %H:%M"}
    shifts = [
        pd.to_datetime(made[c], format=forms.get(c)) - pd.to_datetime(real[c], format=forms.get(c))
        for c in ("admitted", "discharged")
    ]
    days = {shift.total_seconds() / 86400 for whole in shifts for shift in whole}
    assert len(days) == 1
    assert abs(days.pop()) % 364 == 0
    assert made["seen"].tolist() == real["seen"].tolist()
