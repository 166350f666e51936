"""The benchmark of tables in its smallest form: made-up records, two methods."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "tabular.py"
REAL, MARGINALS = "real (other half)", "tabular/marginals"


def benchmark(*words: str) -> str:
    command = [sys.executable, str(SCRIPT), *words]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=one_thread, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the file and the table of a run that was stopped after its first method."""
    out = tmp_path_factory.mktemp("benchmark") / "results.jsonl"
    for methods in (REAL, f"{REAL},{MARGINALS}"):
        table = benchmark("run", "--part", "tiny", "--arms", methods, "--out", str(out))
    return out, table


@pytest.fixture
def results(run):
    return [json.loads(line) for line in run[0].read_text(encoding="utf-8").splitlines()]


def test_a_stopped_run_goes_on(results):
    assert [line["arm"] for line in results] == [REAL, MARGINALS]


def test_both_critics_rank_independent_columns_behind_real_rows(results):
    real, independent = results
    for critic in ("c2st", "c2st_levels"):
        assert independent[critic] > real[critic] + 0.15
    assert independent["gap"] < -0.05
    assert real["gap"] == 0


def test_given_cells_are_checked_and_their_rows_judged(results):
    real, independent = results
    assert "conditional" not in real
    (judged,) = independent["conditional_by_columns"].values()
    assert judged["exact"]
    excess = [judged[c] - judged["free"][c] for c in ("c2st", "c2st_levels")]
    assert independent["conditional_excess"] == max(excess)
    assert max(excess) == pytest.approx(0, abs=0.1)  # columns that ignore each other, either way


def test_costs_and_privacy_are_measured(results):
    _, independent = results
    assert independent["sample_s"] > 0
    assert 0.05 < independent["memory_gib"] < 4
    low, high = independent["membership_control"]
    assert low < 0.5 < high
    assert independent["rare_excess"] > 0.1  # it resamples the numbers of single patients


def test_rare_levels_of_independent_columns_are_as_frequent_as_they_were(results):
    for row in results:
        assert row["rare_levels"] == 2  # the target's; no other level is rare here
        assert row["rare_levels_kept"] == row["rare_levels_kept_held_out"] == 1
        assert row["rare_levels_ratio"] == pytest.approx(1, abs=0.2)


def test_the_table_shows_every_line(run):
    _, table = run
    assert table.count("\n| ") == 3
    assert f"| {MARGINALS} |" in table
