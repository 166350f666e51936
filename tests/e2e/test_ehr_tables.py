"""`casemix run ehr-tables` as a user types it: bad tables in, and what comes out."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from casemix.cli import main
from casemix.core.cohort import Cohort
from casemix.recipes.tables import read_cohorts

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "400"}
PATIENTS = 60
QUOTED = 'na"me, with\nline'


def casemix(data: Path, out: Path, *changes: str) -> subprocess.CompletedProcess[str]:
    words = ["run", "ehr-tables", "--data", str(data), "--out", str(out), "--tiny"]
    words += [word for change in ("workers=1", *changes) for word in ("--set", change)]
    command = [sys.executable, "-m", "casemix", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)


def bad_table() -> pd.DataFrame:
    """Return two rows per patient; each column is a trouble of its own."""
    rng = np.random.default_rng(0)
    n = 2 * PATIENTS
    admitted = pd.Timestamp("2015-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="d")
    discharged = admitted + pd.to_timedelta(rng.integers(0, 30, n), unit="d")
    frame = pd.DataFrame(
        {
            "Patient ID": np.repeat(np.arange(1000, 1000 + PATIENTS), 2),
            "row": np.arange(n) + 7000,
            "sex": np.repeat(rng.choice(["F", "M"], PATIENTS), 2),
            "all null": None,
            "constant": "same",
            "mixed": np.where(rng.random(n) < 0.05, "hemolytic", rng.integers(60, 140, n)),
            "half": [f"t{i // 4}" if i % 2 else str(i // 4) for i in range(n)],
            "Größe (cm)": rng.normal(170, 9, n).round(1),
            "\u5e74\u9f62": rng.integers(20, 90, n),
            QUOTED: rng.choice(['a "q"', "b, c", "d\ne", "=cmd()|x"], n),
            "admitted": admitted.strftime("%Y-%m-%d"),
            "discharged": discharged.strftime("%d.%m.%Y"),
            "overflow": [str(2**64 + 977 * int(i)) for i in rng.permutation(n)],
            "infinite": np.where(rng.random(n) < 0.05, "inf", rng.normal(3, 1, n).round(2)),
            "huge": np.where(np.arange(n) == 5, "x" * 200_000, rng.choice(["u", "v"], n)),
            "code": [f"R{i}" if i % 20 < 9 else f"C{i % 6}" for i in range(n)],
            "lab": np.where(rng.random(n) < 0.2, -999, rng.integers(0, 30, n)),
        }
    )
    frame.loc[[1, 2, 3], "discharged"] = ["01.01.0001", "31.12.9999", "30.02.2014"]
    return frame


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> tuple[Path, str]:
    """Return the folder of a run on the bad table, written by a German Excel, and its terminal."""
    folder = tmp_path_factory.mktemp("bad")
    text = bad_table().to_csv(index=False, sep=";", decimal=",")
    (folder / "bad.csv").write_bytes(text.encode("utf-8-sig"))
    run = casemix(folder / "bad.csv", folder / "run", "where=sex == 'F' and lab > 3")
    assert run.returncode == 0, run.stderr[-3000:]
    return folder / "run", run.stderr


def test_every_column_is_shown_with_its_kind_and_the_reason(done):
    _, terminal = done
    for said in (
        "one level: the same in every row",
        "cells are no finite number (hemolytic): missing",
        "unit from the name",
        "time since admitted (never before it)",
        "are kept; the rest",
        "-999 seems to mean not recorded",
        "1 cells of over 200 characters: missing",
        "(01.01.0001, 31.12.9999, 30.02.2014): set to missing",
        "would run as formulas",
        "inferred. To correct them, edit",
    ):
        assert said in " ".join(terminal.split()), said
    assert max(map(len, terminal.splitlines())) < 1000


def test_the_synthetic_table_has_the_layout_of_the_input(done):
    folder, _ = done
    real, made = bad_table(), pd.read_csv(folder / "synthetic.csv")
    assert list(made) == list(real)
    assert not set(made["Patient ID"]) & set(real["Patient ID"])
    assert not set(made["row"]) & set(real["row"])
    assert not set(made["overflow"].astype(str)) & set(real["overflow"])
    assert made[["all null", "half"]].isna().all(axis=None)
    assert set(made[QUOTED]) <= set(real[QUOTED])
    assert set(made["code"]) <= {*real["code"], "other"}
    assert not set(made["code"]) & set(real["code"].value_counts().loc[lambda n: n < 5].index)
    assert made["\u5e74\u9f62"].dtype == made["lab"].dtype == "int64"
    assert made["mixed"].between(60, 140).sum() + made["mixed"].isna().sum() == len(made)
    assert (made["Größe (cm)"].round(1) == made["Größe (cm)"]).all()


def test_every_row_meets_what_was_asked_for(done):
    made = pd.read_csv(done[0] / "synthetic.csv")
    assert set(made["sex"]) == {"F"}
    assert made["lab"].min() > 3


def test_dates_are_dates_in_order_and_not_the_real_ones(done):
    real, made = bad_table(), pd.read_csv(done[0] / "synthetic.csv")
    admitted = pd.to_datetime(made["admitted"], format="%Y-%m-%d")
    discharged = pd.to_datetime(made["discharged"], format="%d.%m.%Y")
    stay = (discharged - admitted).dt.days.dropna()
    assert stay.between(0, 30).all()
    assert len(stay) > 0
    years = set(pd.to_datetime(real["admitted"]).dt.year)
    assert not years & set(admitted.dt.year)


def test_what_is_made_says_that_it_is_synthetic(done):
    folder, _ = done
    assert "no real patients" in (folder / "SYNTHETIC.md").read_text(encoding="utf-8")
    assert Cohort.load(folder / "synthetic").provenance == "synthetic"
    assert (folder / "report.html").is_file()


def test_a_corrected_mapping_is_what_the_next_run_reads(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"stage": rng.integers(1, 5, 60), "Temp": rng.normal(98, 1, 60).round(1)})
    frame.to_parquet(tmp_path / "t.parquet")
    text = read_cohorts({"t": tmp_path / "t.parquet"}).mapping
    corrected = text.replace(
        "kind: numeric\n        range: [1, 4]", "kind: ordinal\n        levels: [1, 2, 3, 4]"
    )
    assert corrected != text
    (tmp_path / "edited.yaml").write_text(corrected, encoding="utf-8")
    run = casemix(tmp_path / "t.parquet", tmp_path / "run", f"mapping={tmp_path / 'edited.yaml'}")
    assert run.returncode == 0, run.stderr[-3000:]
    train = Cohort.load(tmp_path / "run" / "real" / "train")
    assert train["tabular"].payload.schema["stage"].kind == "ordinal"
    made = pd.read_parquet(tmp_path / "run" / "synthetic.parquet")
    assert set(made["stage"]) <= {1, 2, 3, 4}
    about = pq.read_schema(tmp_path / "run" / "synthetic.parquet").metadata
    assert about[b"provenance"] == b"synthetic"


ROWS = "".join(f"{i},{i % 7}.5\n" for i in range(60))
ERRORS = {
    "empty": (b"", "is empty"),
    "no rows": (b"a,b\n", "The table has no row"),
    "one row": (b"a,b\n1,2\n", "too few subjects.*Given: 1 subjects.*at least 20"),
    "one subject": (b"mrn,b\n" + b"7,1.5\n" * 60, "too few subjects.*subject=none"),
    "same names": (f"a,a\n{ROWS}".encode(), "columns of the same name"),
    "all null": (b"a,b\n" + b",\n" * 60, "no usable column.*no known value"),
    "only text": (b"a\n" + b"".join(b"note %d\n" % i for i in range(60)), "each known cell is"),
    "ragged": (f"a,b\n{ROWS}1,2,3,4\n".encode(), "cannot be read.*Expected 2 fields"),
    "no text": (b"a,b\n1,\0\n", "not a text file"),
    "a zip": (gzip.compress(b"a,b\n", mtime=0), "not what its ending says.*gzip"),
    "a subject without id": (f"pid,b\n,1\n{ROWS}".encode(), "1 rows have no id"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_a_table_that_cannot_be_used_ends_in_a_clear_error(case, tmp_path, monkeypatch, capsys):
    content, message = ERRORS[case]
    (tmp_path / "t.csv").write_bytes(content)
    words = ["--data", str(tmp_path / "t.csv"), "--out", str(tmp_path / "run"), "--tiny"]
    subject = ["--set", "subject=pid"] if "subject without" in case else []
    subject = ["--set", "subject=mrn"] if case == "one subject" else subject
    monkeypatch.setattr(sys, "argv", ["casemix", "run", "ehr-tables", *words, *subject])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    terminal = " ".join(capsys.readouterr().err.split())
    assert re.search(f"Error: .*{message}", terminal), terminal
