"""Linked tables: our generator, SDV's HMA and the controls, fitted on half of the subjects.

Usage: python benchmarks/linked_tables.py KEYS FOLDER [METHOD ...] [--tables A,B] [--splits 0,1,2]
KEYS are those of the folder: a YAML or a shipped name (mimic3_demo_tables, eicu_demo_subset,
synthea_sample). One subject in two is fitted on, the others judge; means of point values over the
splits, whose numbers are the seeds. `real` is the fitted half itself, `real-guarded` the same with
the levels and numbers that fewer than five subjects have replaced: what the guard alone costs.
The written folder is checked for keys that come twice and rows without a parent. HMA takes few
tables: name them with --tables.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
from linked_parts.arms import Made, made
from linked_parts.judging import judged

from casemix.core.cohort import Cohort, Provenance
from casemix.recipes.linked_tables import (
    FolderKeys,
    check_keys,
    load_keys,
    read_tables,
    write_tables,
)

METHODS = (
    "real",
    "real-guarded",
    "relational/marginals",
    "relational/hierarchical",
    "relational/copy_training",
)


def main() -> None:
    """Print one line of scores per method."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("keys")
    parser.add_argument("folder", type=Path)
    parser.add_argument("methods", nargs="*", default=list(METHODS))
    parser.add_argument("--tables", type=lambda text: text.split(","), help="only these tables")
    parser.add_argument(
        "--splits", type=lambda text: [int(s) for s in text.split(",")], default=[0]
    )
    options = parser.parse_args()
    keys = load_keys(options.keys)
    if options.tables:
        kept = {name: about for name, about in keys.tables.items() if name in options.tables}
        keys = replace(keys, tables=kept)
    cohort = read_tables(options.folder, keys).cohort
    for method in options.methods:
        rows = [scored(method, cohort, keys, seed) for seed in options.splits]
        means = pd.DataFrame(rows).mean().round(3).to_dict()
        spread = [round(row["c2st"], 2) for row in rows]
        print(method, *(f"{name} {value:g}" for name, value in means.items()), spread, flush=True)


def scored(method: str, cohort: Cohort, keys: FolderKeys, seed: int) -> dict[str, float]:
    """Return the scores of one method on one split."""
    halves = cohort.split({"train": 0.5, "holdout": 0.5}, seed=seed)
    arm = made(method, halves["train"], seed)
    row = judged(arm, halves["train"], halves["holdout"], seed)
    if method.startswith("relational/"):
        row["broken_keys"] = float(broken_keys(arm, halves["train"], keys))
    return row


def broken_keys(arm: Made, train: Cohort, keys: FolderKeys) -> int:
    """Return how many keys of the written tables are broken."""
    cohort = Cohort(arm.subjects, train.schema, {"relational": arm.samples}, Provenance.SYNTHETIC)
    with tempfile.TemporaryDirectory() as folder:
        write_tables(cohort, Path(folder), keys, seed=1)
        return sum(sum(counts.values()) for counts in check_keys(Path(folder), keys).values())


if __name__ == "__main__":
    main()
