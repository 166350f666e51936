"""Parts of the benchmark of tables: privacy over several splits, rare levels."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Field, Kind, Schema

from .test_tabular import MARGINALS, benchmark

FOLDER = Path(__file__).parents[3] / "benchmarks"
COPIES = "tabular/copy_training"


@pytest.fixture
def part_of_benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return lambda name: importlib.import_module(f"tabular_parts.{name}")


@pytest.fixture(scope="module")
def two_splits(tmp_path_factory):
    """Return the lines and the table of two splits that were measured in two calls."""
    out = tmp_path_factory.mktemp("privacy") / "results.jsonl"
    words = ("privacy", "--part", "tiny", "--out", str(out), "--splits")
    benchmark(*words, "1", "--arms", COPIES)
    table = benchmark(*words, "2", "--arms", f"{COPIES},{MARGINALS}")
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()], table


def test_splits_that_were_measured_are_not_measured_again(two_splits):
    lines, _ = two_splits
    found = [(line["seed"], line["arm"], line["patients"]) for line in lines]
    assert found == [(0, COPIES, 100), (0, MARGINALS, 100), (1, COPIES, 100), (1, MARGINALS, 100)]


def test_copied_rows_are_caught_in_every_split_and_independent_columns_are_not(two_splits):
    _, table = two_splits
    copied, independent = (line for line in table.splitlines() if line.startswith("| tabular/"))
    assert "| 2 of 2 (" in copied
    assert "| 0 of 2 (" in independent


def test_each_split_is_shown_beside_its_control(two_splits):
    lines, table = two_splits
    low, high = lines[1]["membership_control"]
    shown = f"{lines[1]['membership']:.3f} ({low:.3f} to {high:.3f})"
    assert next(line for line in table.splitlines() if line.startswith("| 0 |")).endswith(
        f"| {shown} |"
    )


def split(membership, control, high):
    return {
        "seed": 0,
        "membership": membership,
        "membership_interval": [membership - 0.04, membership + 0.04],
        "membership_control": [2 * control - high, high],
        "membership_control_auc": control,
        "four_attacks": membership - 0.01,
        "copies": 0.0,
        "copies_held_out": 0.0,
        "rare_excess": None,
    }


def test_the_mean_of_splits_errs_less_than_each(part_of_benchmark):
    splits = [split(0.50, 0.5, 0.54), split(0.56, 0.5, 0.54), *[split(0.53, 0.5, 0.54)] * 2]
    span, above, mean, control, four, *_, rare = part_of_benchmark("splits").pooled(splits)
    assert span == "0.500 to 0.560"
    assert above == "1 of 4 (0.3 by chance)"
    assert mean == "0.530 ± 0.010"  # a standard error of .04 / 1.96 over the root of 4
    assert control == "0.500 ± 0.010"
    assert four == "0.520 ± 0.012"  # from the splits: .02449 over the root of 4
    assert rare == "-"


def test_an_auc_that_errs_lies_above_its_control_more_often(part_of_benchmark):
    chance = part_of_benchmark("splits").above_by_chance
    exact = split(0.5, 0.5, 0.54) | {"membership_interval": [0.5, 0.5]}
    assert chance(exact) == pytest.approx(0.025, abs=1e-4)
    assert chance(split(0.5, 0.5, 0.54)) == pytest.approx(0.083, abs=1e-3)  # 1.96 / 2 ** .5 errors


def test_lost_and_thinned_rare_levels_are_seen(part_of_benchmark):
    levels = np.repeat(["common", "lost", "thinned", "few"], [9800, 100, 81, 19]).astype(object)
    schema = Schema((Field("code", Kind.CATEGORICAL, levels=tuple(sorted(set(levels)))),))
    train = pd.DataFrame({"code": levels, "subject_id": np.arange(10_000)})
    made = pd.DataFrame({"code": np.repeat(["common", "thinned"], [9980, 20]).astype(object)})
    part = part_of_benchmark("data").Part(train, schema, ("code", "common"))
    found = part_of_benchmark("rare").levels_kept(train, train, made, part)
    assert found["rare_levels"] == 3  # the target's, and two of .1 to 2 % that 20 subjects have
    assert found["rare_levels_kept"] == pytest.approx(2 / 3)
    shares = (9980.5 / 9800.5) * (0.5 / 100.5) * (20.5 / 81.5)
    assert found["rare_levels_ratio"] == pytest.approx(shares ** (1 / 3))
    assert found["rare_levels_kept_held_out"] == found["rare_levels_ratio_held_out"] == 1
