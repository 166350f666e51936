"""The main job as a user types it, at its smallest real settings."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from casemix.core.cohort import Cohort
from casemix.core.linked import LinkedModel

COMMAND = [sys.executable, "-m", "casemix", "run", "linked-patients", "--tiny", "--seed", "3"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
OUTPUTS = ("metrics.json", "report.html", "patients.html", "summary.md", "run.json")


def casemix(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "casemix", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run") / "demo"
    run = subprocess.run(
        [*COMMAND, "--out", str(out)], capture_output=True, text=True, check=False, env=ENVIRONMENT
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert str(out / "report.html") in run.stderr.replace("\n", "")
    return out


def sums(folder: Path) -> dict[str, str]:
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_run_ends_with_cohorts_model_metrics_and_pages(done):
    assert all((done / name).is_file() for name in OUTPUTS)
    assert not [p for p in done.iterdir() if p.name.startswith(".")]
    synthetic = Cohort.load(done / "synthetic")
    assert synthetic.provenance == "synthetic"
    assert set(synthetic.modalities) == {"tabular", "timeseries", "imaging", "text"}
    assert all(s.startswith("syn-") for s in synthetic.subjects.index)
    metrics = json.loads((done / "metrics.json").read_text())
    assert set(metrics["modalities"]) == set(synthetic.modalities)
    assert len(metrics["linkage"]["pairs"]) == 10
    train, holdout = (Cohort.load(done / "real" / part) for part in ("train", "holdout"))
    assert not set(train.subjects.index) & set(holdout.subjects.index)


def test_metrics_follow_the_published_schema(done):
    schema = json.loads((files("casemix.evaluation") / "metrics.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads((done / "metrics.json").read_text()), schema)


def test_a_finished_run_is_not_done_again(done):
    before = sums(done)
    again = subprocess.run(
        [*COMMAND, "--out", str(done)], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    assert "done before" in again.stderr
    assert sums(done) == before


def test_another_seed_does_not_overwrite_a_run(done):
    run = casemix("run", "linked-patients", "--tiny", "--seed", "4", "--out", str(done))
    assert run.returncode == 1
    assert "other settings" in run.stderr


@pytest.mark.slow
def test_a_run_killed_at_any_moment_ends_with_the_same_files(done, tmp_path):
    out = tmp_path / "killed"
    for seconds in (8, 14, 20, 28, 36, 45):
        process = subprocess.Popen(
            [*COMMAND, "--out", str(out)], stderr=subprocess.DEVNULL, env=ENVIRONMENT
        )
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([*COMMAND, "--out", str(out)], check=True, capture_output=True, env=ENVIRONMENT)
    expected = sums(done)
    found = sums(out)
    assert set(found) == set(expected)
    assert {n for n in expected if found[n] != expected[n]} == set()


def test_shards_give_the_same_patients(done, tmp_path):
    model = LinkedModel.load(done / "model")
    whole = model.sample(6, seed=5)
    asked = model.wanted(6)
    parts = [model.sample(asked.take(rows), seed=5) for rows in (np.arange(2), np.arange(2, 6))]
    for modality in whole.modalities:
        tables = [p[modality].payload.to_table() for p in parts]
        together = type(whole[modality].payload).concat([p[modality].payload for p in parts])
        assert sum(map(len, tables)) == len(whole[modality])
        assert together.to_table().equals(whole[modality].payload.to_table()), modality
    assert (
        casemix(
            "sample", str(done / "model"), "--n", "4", "--shards", "2", "--seed", "5",
            "--out", str(tmp_path / "s"),
        ).returncode
        == 0
    )  # fmt: skip
    from_shell = Cohort.load(tmp_path / "s")
    assert from_shell.subjects.equals(whole.subjects.iloc[:4])


def test_where_holds_for_every_patient(done, tmp_path):
    out = tmp_path / "elderly"
    run = casemix(
        "sample", str(done / "model"), "--n", "5", "--where", "age > 60 and sex == 'F'",
        "--out", str(out),
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    subjects = Cohort.load(out).subjects
    assert (subjects["age"] > 60).all()
    assert (subjects["sex"] == "F").all()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("run", "linked-patient"), 1, "Did you mean 'linked-patients'"),
        (("run", "linked-patients", "--set", "imagin=x"), 1, "Did you mean 'imaging'"),
        (("run", "linked-patients", "--set", "n=many"), 1, "another type"),
        (
            ("run", "linked-patients", "--data", "/nowhere", "--out", "OUT"),
            1,
            "not a cohort folder",
        ),
        (("fit", "imaging/flwo", "--data", "/nowhere", "--out", "OUT"), 1, "imaging/flow"),
        (("show", "nonsense"), 1, "nothing called 'nonsense'"),
        (("list", "generator"), 1, "Did you mean 'generators'"),
        (("sample", "/nowhere", "--n", "3", "--out", "OUT"), 1, "not a saved model"),
        (("sample", "/nowhere", "--out", "OUT"), 2, "one of --n, --like, --given and --continue"),
        (("phantom", "--n", "0", "--out", "OUT"), 2, "--n"),
    ],
)
def test_mistakes_are_explained_and_leave_nothing(words, code, message, tmp_path):
    out = tmp_path / "out"
    run = casemix(*[str(out) if w == "OUT" else w for w in words])
    assert run.returncode == code
    assert message in " ".join(run.stderr.replace("│", " ").split())
    assert "Traceback" not in run.stderr
    left = [p for p in out.rglob("*") if p.is_file() and p.name != "run.json"]
    assert not left


def small_files_only() -> None:
    """Let no file grow beyond 200 kB: the next write fails as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))


def test_a_disk_that_takes_no_more_is_an_error_and_leaves_nothing(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "casemix", "phantom", "--n", "40", "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
        preexec_fn=small_files_only,
    )
    assert run.returncode == 1
    assert "Error" in run.stderr
    assert "File too large" in run.stderr
    assert "Traceback" not in run.stderr
    assert not list(tmp_path.iterdir())
