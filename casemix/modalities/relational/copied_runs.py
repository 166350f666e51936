"""Runs of rows that only one training subject has, and that come out again."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.core import seeding
from casemix.core.metric import EvalData, Score, View
from casemix.evaluation.statistics import bootstrap_rows, percentile_interval
from casemix.modalities.relational.data import LinkedTables
from casemix.modalities.relational.row_views import beside_sibling

_FEWEST = 10  # runs on either side
_REPEATS = 200  # bootstrap samples


def runs(tables: LinkedTables) -> pd.DataFrame:
    """Return each pair of a row and its next sibling as one text: columns ``item``, ``run``.

    Every column counts, and the hours between the two, to 0.01.
    """
    parts = []
    for form in tables.forms:
        beside = beside_sibling(form, tables)
        if len(beside) == 0 or len(form.schema) < 2:
            continue
        text = beside.round(2).astype(str).agg("|".join, axis=1)
        parts.append(
            pd.DataFrame({"item": beside.index, "run": (f"{form.name}|" + text).to_numpy()})
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"item": [], "run": []})


def copied_run_excess(data: EvalData, seed: int) -> Score:
    """Return how much more of members' singular runs come out than of other subjects' ones."""
    n = min(len(set(v.samples.subject_ids)) for v in (data.members, data.holdout))
    made = set(runs(data.synthetic.samples.payload)["run"])
    found, spread = [], []
    for k, view in enumerate((data.members, data.holdout)):
        singular = _singular(_of(view, n, seed))
        if len(singular) < _FEWEST:
            return Score(None, n=n, note=f"fewer than {_FEWEST} runs are of one subject alone")
        copied = singular["run"].isin(made).to_numpy()
        found.append(float(copied.mean()))
        rows = bootstrap_rows(singular["item"].to_numpy(), seed=seed + k, repeats=_REPEATS)
        spread.append(np.array([copied[r].mean() for r in rows]))
    interval = percentile_interval(spread[0] - spread[1])
    details = {"of_members": found[0], "of_others": found[1]}
    note = f"pairs of successive rows that one of {n} subjects alone has"
    return Score(found[0] - found[1], interval, n, note=note, details=details)


def _singular(tables: LinkedTables) -> pd.DataFrame:
    """Return the runs that one sample alone has, once each."""
    once = runs(tables).drop_duplicates()
    return once[~once["run"].duplicated(keep=False)]


def _of(view: View, n: int, seed: int) -> LinkedTables:
    """Return the tables of n random subjects."""
    ids = np.array(sorted(set(view.samples.subject_ids)), dtype=object)
    chosen = set(ids[seeding.generator(seed, "copied runs").permutation(len(ids))[:n]])
    kept = np.flatnonzero([s in chosen for s in view.samples.subject_ids])
    tables: LinkedTables = view.samples.payload.take(kept)
    return tables
