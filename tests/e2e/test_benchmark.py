from __future__ import annotations

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from casemix.cli import app
from casemix.core.cohort import Cohort, Provenance
from casemix.errors import RunError
from casemix.recipes.benchmark import Plan

QUICK = ["benchmark", "tabular", "--tiny", "--seeds", "1"]


def run(*words):
    return CliRunner().invoke(app, [*QUICK, *map(str, words)], catch_exceptions=False)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    out = tmp_path_factory.mktemp("bench") / "out"
    done = run("--methods", "marginals", "--out", out)
    assert done.exit_code == 0
    return out


def test_a_method_gets_scores_seconds_and_memory(bench):
    rows = pd.read_csv(bench / "results.csv")
    c2st = rows[rows["metric"] == "c2st_auc"].iloc[0]
    assert (c2st["method"], c2st["seed"], c2st["status"]) == ("tabular/marginals", 0, "done")
    assert c2st["low"] <= c2st["value"] <= c2st["high"]
    assert c2st["fit_seconds"] >= 0
    assert 50 < c2st["peak_mb"] < 5000
    made = Cohort.load(bench / "made-tabular-marginals-0" / "synthetic")
    assert made.provenance is Provenance.SYNTHETIC


def test_another_method_joins_the_table_and_nothing_is_done_twice(bench):
    before = (bench / "row-tabular-marginals-0.json").stat().st_mtime_ns
    done = run("--methods", "tabular/trees,marginals", "--json", "--out", bench)
    entries = json.loads(done.stdout)
    assert [e["method"] for e in entries] == ["tabular/trees", "tabular/marginals"]
    assert entries[0]["c2st_auc"] < entries[1]["c2st_auc"]
    assert (bench / "row-tabular-marginals-0.json").stat().st_mtime_ns == before
    page = (bench / "benchmark.html").read_text()
    assert "default-src &#39;none&#39;" in page
    assert page.count("tabular/trees") >= 1


def test_two_seeds_have_an_interval_for_both(bench):
    done = run("--methods", "marginals", "--seeds", "2", "--json", "--out", bench)
    entry = next(e for e in json.loads(done.stdout) if e["method"] == "tabular/marginals")
    low, high = entry["c2st_auc_interval"]
    assert entry["seeds"] == 2
    assert low < entry["c2st_auc"] < high


def test_a_fit_over_budget_is_stopped_and_listed(tmp_path):
    done = run("--methods", "trees", "--budget", "0.1", "--json", "--out", tmp_path / "out")
    (entry,) = json.loads(done.stdout)
    assert (entry["seeds"], entry["status"]) == (0, "over 0.1 s")
    assert "over 0.1 s" in (tmp_path / "out" / "benchmark.html").read_text()


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan("tables", None), "Unknown modality 'tables'.*tabular"),
        (Plan("tabular", None, ("tabular/tree",)), "not a method of tabular.*tabular/trees"),
    ],
)
def test_wrong_names_are_errors(plan, message):
    with pytest.raises(RunError, match=message):
        plan.chosen()
