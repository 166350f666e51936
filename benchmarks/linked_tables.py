"""Linked tables: our generator, SDV's HMA and the controls, fitted on half of the subjects.

Usage: python benchmarks/linked_tables.py KEYS FOLDER [METHOD ...] [--tables A,B]
KEYS are those of the folder: a YAML or a shipped name (mimic3_demo_tables, eicu_demo_subset,
synthea_sample). One subject in two is fitted on (seed 0), the others judge; point values, no
intervals. The written folder is checked for keys that come twice and rows without a parent. HMA
takes few tables: name them with --tables.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd

from casemix.core import registry
from casemix.core.cohort import Cohort, Provenance
from casemix.core.conditions import Conditions
from casemix.core.evaluator import Evaluator
from casemix.core.metric import EvalData, View
from casemix.core.samples import Samples
from casemix.evaluation.battery import metrics_of
from casemix.recipes.linked_tables import (
    FolderKeys,
    check_keys,
    load_keys,
    read_tables,
    write_tables,
)

METHODS = ("real", "relational/marginals", "relational/hierarchical", "relational/hma")
SHARED = ("c2st_auc", "membership_auc", "nearest_record_ratio")


def main() -> None:
    """Print one line of scores per method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("keys")
    parser.add_argument("folder", type=Path)
    parser.add_argument("methods", nargs="*", default=list(METHODS))
    parser.add_argument("--tables", type=lambda text: text.split(","), help="only these tables")
    options = parser.parse_args()
    keys = load_keys(options.keys)
    if options.tables:
        kept = {name: about for name, about in keys.tables.items() if name in options.tables}
        keys = replace(keys, tables=kept)
    halves = read_tables(options.folder, keys).cohort.split({"train": 0.5, "holdout": 0.5}, seed=0)
    for method in options.methods:
        print(
            method,
            *judged(method, halves["train"], halves["holdout"], keys),
            sep="\n  ",
            flush=True,
        )


def judged(method: str, train: Cohort, holdout: Cohort, keys: FolderKeys) -> list[str]:
    """Return the scores of one method as lines."""
    evaluator = registry.load("evaluators", "relational/standard")().fit(
        train["relational"], seed=0
    )
    lines = []
    made, subjects = train["relational"], train.subjects
    if method != "real":
        made, subjects, seconds = synthetic(method, train)
        lines += [
            seconds,
            f"keys of the written folder: {written_keys(made, subjects, train, keys)}",
        ]
    data = EvalData(
        train=view(evaluator, train["relational"], train.subjects),
        holdout=view(evaluator, holdout["relational"], holdout.subjects),
        synthetic=view(evaluator, made, subjects),
        findings_schema=evaluator.findings_schema,
        context_schema=train.schema,
        embedder=evaluator.embedder,
    )
    for metric in metrics_of(evaluator):
        if metric.name in SHARED or metric.modalities == frozenset({"relational"}):
            value = metric.measure(data, 0).value
            lines.append(f"{metric.name} {'undefined' if value is None else round(value, 3)}")
    return lines


def synthetic(method: str, train: Cohort) -> tuple[Samples, pd.DataFrame, str]:
    """Return as many new subjects as there are, given the contexts of the training subjects."""
    given = train.conditions("relational")
    started = time.process_time()
    fitted = registry.load("generators", method)().fit(train["relational"], given, seed=0)
    between = time.process_time()
    ids = pd.Index([f"syn-{i}" for i in range(len(given))], dtype=object)
    rows = given.rows.assign(subject_id=ids).set_axis(ids, axis=0)
    made = fitted.generate(Conditions(rows, given.schema), seed=1)
    seconds = f"fit {between - started:.0f} CPU-s, sample {time.process_time() - between:.0f} CPU-s"
    return made, rows[list(given.schema.names)], seconds


def written_keys(made: Samples, subjects: pd.DataFrame, train: Cohort, keys: FolderKeys) -> str:
    """Return how many keys of the written tables are broken."""
    cohort = Cohort(subjects, train.schema, {"relational": made}, Provenance.SYNTHETIC)
    with tempfile.TemporaryDirectory() as folder:
        write_tables(cohort, Path(folder), keys, seed=1)
        broken = sum(sum(counts.values()) for counts in check_keys(Path(folder), keys).values())
    return f"{broken} broken"


def view(evaluator: Evaluator, samples: Samples, subjects: pd.DataFrame) -> View:
    """Return samples as metrics read them."""
    context = subjects.loc[list(samples.subject_ids)].set_axis(samples.index.index, axis=0)
    return View(samples, evaluator.findings(samples), evaluator.embed(samples), context)


if __name__ == "__main__":
    main()
