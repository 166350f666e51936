"""Our table generators beside SDV's on the same split, in one run.

Usage:
  python benchmarks/tabular.py run [--part full|small|icu|tiny] [--arms A,B] [--seed S]
      [--jobs J] [--out FILE]
  python benchmarks/tabular.py table [--out FILE]
  python benchmarks/tabular.py privacy [--part PART] [--splits K] [--patients N] [--arms A,B]
  python benchmarks/tabular.py scale [--rows N] [--shards K] [--arms NAME] [--part PART]

`run` fits every method on one half of the patients, each in a process of its own, and judges its
rows beside the other half; a line of JSON per method is appended to FILE, and a run that is started
again goes on after the last line. `table` prints FILE as Markdown. `scale` fits one method, saves
it, and times `casemix sample MODEL --n N --shards K` with its peak memory.

Parts: all rows of diabetes_130us, 600 of its patients per half, the statics and outcomes of
icu_challenge2012, made-up records. SDV's networks see --sdv-rows rows, --gan-epochs or
--tvae-epochs times, so that they end in minutes. Times are CPU-seconds with one thread, without
imports; memory is the largest resident size until the rows are made.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from pyarrow import parquet
from tabular_parts import arms, data, privacy, rare, results, scores, splits
from tabular_parts.arms import Budget

from casemix.core import registry
from casemix.recipes.single import Single

SHOWN = {
    "c2st": "C2ST",
    "c2st_levels": "C2ST, all levels",
    "tstr": "TSTR",
    "gap": "gap",
    "shapes": "shapes",
    "trends": "trends",
    "conditional_excess": "conditional, worst excess",
    "membership": "membership",
    "copies": "copies",
    "rare_excess": "rare values",
    "rare_levels_kept": "rare levels kept",
    "fit_s": "fit CPU-s",
    "sample_s": "rows CPU-s",
    "memory_gib": "GiB",
}


def run(options: argparse.Namespace) -> None:
    """Measure the methods that the results file lacks, each in its own process."""
    rows = [r for r in results.read(options.out) if key(r) == (options.part, options.seed)]
    done = {row["arm"] for row in rows}

    def measure(name: str) -> None:
        print(f"{options.part}, seed {options.seed}: {name}", flush=True)
        # The last --arms counts.
        command = [sys.executable, __file__, "one", *sys.argv[2:], "--arms", name]
        ended = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False)
        if ended.returncode:
            print(f"failed: {name}", flush=True)

    missing = [name for name in options.arms or arms.names() if name not in done]
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(measure, missing))
    table(options)


def one(options: argparse.Namespace) -> None:
    """Measure one method, and append a line to the results."""
    results.append(options.out, measured(options.arms[0], options))


def measured(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return what a method costs and what its rows are like."""
    part, seed = data.load(options.part, options.data), options.seed
    train, held_out = part.halves(seed)
    row: dict[str, Any] = {"part": options.part, "seed": seed, "arm": name}
    arms.load(name)
    with cpu(row, "fit_s"):
        sample = arms.fit(name, train, part.schema, arms.budget(options), seed=seed)
    n = len(train) if name == arms.REAL else options.rows or len(held_out)
    with cpu(row, "sample_s"):
        made = sample(n, None)
    row |= {"rows": n, "memory_gib": peak()}
    made = made.head(len(held_out))
    with cpu(row, "judging_s"):
        row |= judged(train, held_out, made, part, seed)
        if name != arms.REAL:
            row |= privacy.judged(train, held_out, made, part, seed)
    if arms.conditional(name):
        with cpu(row, "conditional_s"):
            asked = replace(part, triples=part.triples[: options.triples])
            row |= conditional(sample, made, held_out, asked, seed)
    return row


def judged(
    train: pd.DataFrame, held_out: pd.DataFrame, made: pd.DataFrame, part: data.Part, seed: int
) -> dict[str, Any]:
    """Return the scores of fidelity and utility."""
    row: dict[str, Any] = scores.two_samples(held_out, made, part, seed)
    row |= scores.similarity(held_out, made, part)
    row["tstr"] = scores.utility(made, held_out, part, seed)
    row["gap"] = row["tstr"] - scores.utility(train, held_out, part, seed)
    return row | rare.levels_kept(train, held_out, made, part)


def conditional(
    sample: arms.Sampler, free: pd.DataFrame, held_out: pd.DataFrame, part: data.Part, seed: int
) -> dict[str, Any]:
    """Return both critics' AUC for rows that are given the held-out cells of three columns.

    Held-out rows that lack one of the three are left out: a missing cell cannot be asked for. The
    excess is over the same critic's AUC for as many of ``free``, the rows that nothing was given.
    """
    found = {}
    for triple in part.triples:
        real = held_out[held_out[list(triple)].notna().all(axis=1)]
        fixed = real[list(triple)].reset_index(drop=True)
        made = sample(len(real), fixed)
        exact = (made[list(triple)].to_numpy() == fixed.to_numpy()).all()
        found[" ".join(triple)] = scores.two_samples(real, made, part, seed) | {
            "free": scores.two_samples(held_out, free.head(len(real)), part, seed),
            "exact": bool(exact),
            "rows": len(real),
        }
    excess = [f[c] - auc for f in found.values() for c, auc in f["free"].items()]
    return {"conditional_excess": max(excess, default=None), "conditional_by_columns": found}


def scale(options: argparse.Namespace) -> None:
    """Time the command line on many rows, made in shards."""
    part = data.load(options.part, options.data)
    train, _ = part.halves(options.seed)
    name = (options.arms or ["tabular/trees"])[0]
    with tempfile.TemporaryDirectory() as folder:
        model, out = Path(folder) / "model", Path(folder) / "made"
        generator = registry.load("generators", name)()
        generator.fit(*data.as_samples(train, part.schema), seed=options.seed)
        Single(generator, part.schema, part.schema).save(model)
        command = [sys.executable, "-m", "casemix", "sample", str(model), "--out", str(out)]
        started = time.monotonic()
        wanted = ["--n", str(options.rows or 1_000_000), "--shards", str(options.shards)]
        subprocess.run([*command, *wanted], check=True)
        seconds = time.monotonic() - started
        made = (out / "tabular").glob("*.parquet")
        rows = sum(parquet.read_metadata(path).num_rows for path in made)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    gib, cpu_s = used.ru_maxrss / 2**20, used.ru_utime + used.ru_stime
    print(f"{name}: {rows} rows, {seconds:.0f} s wall, {cpu_s:.0f} s CPU, {gib:.2f} GiB at most")


def table(options: argparse.Namespace) -> None:
    """Print the results as Markdown, the methods in their own order."""
    place = {name: k for k, name in enumerate(arms.names())}
    for part, seed in dict.fromkeys(key(r) for r in results.read(options.out)):
        rows = [r for r in results.read(options.out) if key(r) == (part, seed)]
        rows.sort(key=lambda row: place.get(row["arm"], len(place)))
        print(f"\n{part}, seed {seed}\n\n| Method | {' | '.join(SHOWN.values())} |")
        print("|---" * (len(SHOWN) + 1) + "|")
        for row in rows:
            print(f"| {row['arm']} | {' | '.join(shown(row, name) for name in SHOWN)} |")


def shown(row: dict[str, Any], name: str) -> str:
    """Return a score as text, beside what it is to be compared with."""
    value = row.get(name)
    if value is None:
        return "-"
    if name == "membership":
        low, high = row["membership_control"]
        return f"{value:.3f} ({low:.3f} to {high:.3f})"
    if name == "copies":
        return f"{value:.2%} ({row['copies_held_out']:.2%})"
    if name == "rare_excess":
        low, high = row["rare_excess_interval"]
        return f"{value:.4f} ({low:.4f} to {high:.4f})"
    if name == "rare_levels_kept":
        return " ".join(
            text.format(row[f"rare_levels_kept{of}"], row[f"rare_levels_ratio{of}"])
            for of, text in (("", "{:.0%}, x{:.2f}"), ("_held_out", "({:.0%}, x{:.2f})"))
        )
    return f"{value:.0f}" if name in ("fit_s", "sample_s") else f"{value:.3f}"


def key(row: dict[str, Any]) -> tuple[str, int]:
    """Return which table and split a line is about."""
    return row["part"], row["seed"]


def peak() -> float:
    """Return the largest resident size of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


@contextmanager
def cpu(row: dict[str, Any], name: str) -> Iterator[None]:
    """Put the CPU-seconds of the block into the row."""
    started = time.process_time()
    yield
    row[name] = time.process_time() - started


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = {"run": run, "one": one, "table": table, "privacy": splits.run, "scale": scale}
    parser.add_argument("command", choices=commands, nargs="?", default="run")
    parser.add_argument("--part", choices=["full", "small", "icu", "tiny"], default="full")
    parser.add_argument("--data", type=Path, default=data.DATA, help="folder of the real data")
    parser.add_argument("--arms", type=lambda text: text.split(","), help="methods; default all")
    parser.add_argument("--seed", type=int, default=0, help="the first of several splits")
    parser.add_argument("--splits", type=int, default=6, help="of patients, for privacy")
    parser.add_argument(
        "--patients", type=int, help="of privacy, in each half; default the part's own"
    )
    parser.add_argument("--rows", type=int, help="rows to make; default as many as held out")
    parser.add_argument("--triples", type=int, default=3, help="of given columns, at most")
    parser.add_argument("--jobs", type=int, default=1, help="methods measured at a time, for run")
    parser.add_argument("--shards", type=int, default=20)
    parser.add_argument("--sdv-rows", type=int, default=Budget.rows)
    parser.add_argument("--gan-epochs", type=int, default=Budget.gan_epochs)
    parser.add_argument("--tvae-epochs", type=int, default=Budget.tvae_epochs)
    parser.add_argument("--out", type=Path, help="file of results; default in runs/")
    options = parser.parse_args()
    name = "tabular-privacy" if options.command == "privacy" else "tabular"
    options.out = options.out or Path("runs", f"{name}.jsonl")
    commands[options.command](options)


if __name__ == "__main__":
    main()
