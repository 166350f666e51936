"""How long does `casemix evaluate` take on tables of 100,000 rows, and how much memory?

Usage: python benchmarks/large_table.py [ROWS] [TABLE]
Without TABLE, three tables of ROWS (100,000) rows of simulated patients are written: train,
holdout, and a synthetic one whose columns depend on each other half as much. With TABLE, a CSV or
parquet table of real records, two random thirds of its rows are train and holdout, and the
synthetic table is the last third with a tenth of its cells shuffled within their columns.
`casemix evaluate` runs on them as one would run it; wall and CPU seconds and the peak memory of its
largest process are printed. The goal for 100,000 rows is 3 minutes and 4 GB on two cores.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

PARTS = ("train", "holdout", "synthetic")
CODES = [f"{letter}{number:02d}" for letter in "EIJK" for number in range(10)]
DRUGS = ("metformin", "insulin", "aspirin", "statin", "betablocker", "diuretic")


def main(rows: int = 100_000, table: Path | None = None) -> None:
    """Print seconds, memory and what was sampled."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = thirds(table) if table else {p: patients(rows, p) for p in PARTS}
        for part, frame in parts.items():
            frame.to_csv(folder / f"{part}.csv", index=False)
        shape = parts["train"].shape
        print(f"3 tables, train of {shape[0]} rows and {shape[1]} columns", flush=True)
        given = [part for p in PARTS for part in (option(p), str(folder / f"{p}.csv"))]
        started = time.monotonic()
        casemix = [sys.executable, "-m", "casemix", "evaluate"]
        subprocess.run([*casemix, *given, "--out", str(folder / "judged")], check=True)
        seconds = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak, cpu = used.ru_maxrss / 2**20, used.ru_utime + used.ru_stime
    print(f"{seconds:.0f} s wall, {cpu:.0f} s CPU, {peak:.2f} GiB in the largest process")


def option(part: str) -> str:
    """Return the option of `casemix evaluate` that takes this part."""
    return "--real" if part == "train" else f"--{part}"


def patients(rows: int, part: str) -> pd.DataFrame:
    """Return simulated patients: numbers, levels, codes, missing cells that depend on severity."""
    rng = np.random.default_rng(PARTS.index(part))
    coupling = 0.5 if part == "synthetic" else 1.0
    severity, age = rng.normal(size=rows), rng.uniform(18, 95, rows).round()
    columns: dict[str, np.ndarray] = {"encounter": np.arange(rows), "age": age}
    for k in range(10):
        value = coupling * severity * (k - 4) / 4 + 0.02 * (age - 50) + rng.normal(size=rows)
        value = np.exp(0.5 * value) if k % 3 == 0 else value
        value[rng.random(rows) < 0.2 / (1 + np.exp(coupling * severity))] = np.nan
        columns[f"lab_{k}"] = value.round(2)
    risk = coupling * severity + rng.normal(size=rows)
    ranks = np.argsort(np.argsort(risk)) * len(CODES) // rows
    columns["diagnosis"] = np.array(CODES)[ranks]
    columns["stage"] = np.array(["I", "II", "III", "IV"])[np.digitize(risk, (-1.0, 0.5, 1.5))]
    columns["sex"] = np.where(rng.random(rows) < 0.5, "F", "M")
    for k, drug in enumerate(DRUGS):
        columns[drug] = np.where(risk + rng.normal(size=rows) > 0.3 * k, "yes", "no")
    columns["died"] = np.where(risk + rng.normal(size=rows) > 2.0, "yes", "no")
    return pd.DataFrame(columns)


def thirds(table: Path) -> dict[str, pd.DataFrame]:
    """Return random thirds of a table, the last one with shuffled cells."""
    whole = pd.read_csv(table) if table.suffix == ".csv" else pd.read_parquet(table)
    rng = np.random.default_rng(0)
    order = np.array_split(rng.permutation(len(whole)), 3)
    parts = {p: whole.iloc[rows].copy() for p, rows in zip(PARTS, order, strict=True)}
    made = parts["synthetic"]
    for name in made.columns:
        moved = rng.permutation(len(made))[: len(made) // 10]
        made.iloc[moved, made.columns.get_loc(name)] = made[name].iloc[rng.permutation(moved)]
    return parts


if __name__ == "__main__":
    main(*(int(n) for n in sys.argv[1:2]), *(Path(p) for p in sys.argv[2:3]))
