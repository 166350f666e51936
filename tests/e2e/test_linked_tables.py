from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from casemix.recipes.linked_tables import check_keys, load_keys


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder of linked tables, and what ehr-tables makes of it."""
    root = tmp_path_factory.mktemp("hospital")
    rng = np.random.default_rng(0)
    people = pd.DataFrame({"patient_id": range(1, 61), "sex": rng.choice(["F", "M"], 60)})
    stays = people.loc[people.index.repeat(rng.integers(1, 4, 60)), ["patient_id"]].reset_index(
        drop=True
    )
    stays.insert(0, "stay_id", range(1000, 1000 + len(stays)))
    days = pd.to_timedelta(rng.integers(0, 300, len(stays)), unit="D")
    stays["admitted"] = pd.Timestamp("2019-01-01") + days
    stays["discharged"] = stays["admitted"] + pd.to_timedelta(rng.integers(1, 9, len(stays)), "D")
    stays["ward"] = rng.choice(["medicine", "surgery"], len(stays))
    drugs = stays.loc[stays.index.repeat(2), ["stay_id"]].reset_index(drop=True)
    drugs["drug"] = rng.choice(["aspirin", "heparin", "insulin"], len(drugs))
    (root / "tables").mkdir()
    for name, frame in {"patients": people, "stays": stays, "drugs": drugs}.items():
        frame.to_csv(root / "tables" / f"{name}.csv", index=False)
    command = ["run", "ehr-tables", "--data", str(root / "tables"), "--out", str(root / "run")]
    done = subprocess.run(
        [sys.executable, "-m", "casemix", *command, "--tiny", "--set", "workers=1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return root, done


def test_the_written_tables_have_the_layout_of_the_real_ones_and_no_broken_key(run):
    root, done = run
    made = {p.stem: pd.read_csv(p) for p in (root / "run" / "tables").glob("*.csv")}
    real = {p.stem: pd.read_csv(p) for p in (root / "tables").glob("*.csv")}
    assert set(made) == set(real) == {"patients", "stays", "drugs"}
    assert all(list(made[name]) == list(real[name]) for name in real)
    counts = check_keys(root / "run" / "tables", load_keys(root / "run" / "keys.yaml"))
    assert counts
    assert not any(any(of.values()) for of in counts.values())
    assert "every row has its parent" in done.stderr + done.stdout


def test_time_order_holds_and_no_real_date_comes_out(run):
    root, _ = run
    stays = pd.read_csv(root / "run" / "tables" / "stays.csv")
    admitted, discharged = pd.to_datetime(stays["admitted"]), pd.to_datetime(stays["discharged"])
    assert (discharged >= admitted).all()
    assert not admitted.dt.year.isin([2019]).any()


def test_the_folder_says_that_it_is_synthetic_and_has_a_report(run):
    root, _ = run
    assert "no real patients" in (root / "run" / "tables" / "SYNTHETIC.md").read_text()
    assert (root / "run" / "report.html").exists()
    assert "keys were inferred" in run[1].stderr
