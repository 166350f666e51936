"""Scores of linked tables: keys, numbers of children, columns, dependence, times, repeats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from casemix.core.metric import EvalData, Score, View
from casemix.evaluation.centred_interval import centred_interval
from casemix.evaluation.statistics import bootstrap_rows
from casemix.modalities.relational import similarity
from casemix.modalities.relational.data import LinkedTables, orphans
from casemix.modalities.relational.ordering import parent_positions
from casemix.modalities.relational.repeats import never_repeated
from casemix.modalities.relational.similarity import Arm, Similarity
from casemix.modalities.relational.time_order import broken_times, resolutions

_REPEATS = 20  # bootstrap samples
_WORST = 10  # tables, columns or pairs that the details name


def tables_of(view: View) -> LinkedTables:
    """Return the payload of a view."""
    payload: LinkedTables = view.samples.payload
    return payload


def broken_keys(data: EvalData, seed: int) -> Score:
    """Return the share of rows with a key that is used before, or without their parent."""
    made = tables_of(data.synthetic)
    broken, rows = {}, 0
    for form in made.forms:
        frame = made.frames[form.name]
        bad = frame.duplicated(["item", "row"]).to_numpy() | orphans(form, made.frames)
        broken[form.name], rows = int(bad.sum()), rows + len(frame)
    note = f"{rows} rows of {len(made.forms)} tables"
    return Score(
        sum(broken.values()) / max(rows, 1), n=_n(data), note=note, details={"rows": broken}
    )


def children_per_parent(data: EvalData, seed: int) -> Score:
    """Return how alike the numbers of children are, table by table."""
    return _averaged(data, seed, similarity.children)


def child_columns(data: EvalData, seed: int) -> Score:
    """Return how alike the columns of rows are, one by one."""
    return _averaged(data, seed, similarity.columns)


def parent_child_dependence(data: EvalData, seed: int) -> Score:
    """Return how alike rows, and numbers of rows, depend on their parents."""
    return _averaged(data, seed, similarity.beside_parents(data.context_schema))


def sibling_dependence(data: EvalData, seed: int) -> Score:
    """Return how alike rows depend on the sibling before."""
    return _averaged(data, seed, similarity.beside_siblings)


def broken_order(data: EvalData, seed: int) -> Score:
    """Return the share of rows that end before they start or leave their parent's span."""
    steps = resolutions(tables_of(data.train))
    made = tables_of(data.synthetic)
    broken = broken_times(made, steps)
    if not broken:
        return Score(None, n=_n(data), note="no table has spans or lies within its parent")
    item = np.concatenate([made.frames[name]["item"].to_numpy() for name in broken])
    wrong = np.concatenate([np.any(list(kinds.values()), axis=0) for kinds in broken.values()])
    if not len(wrong):
        return Score(None, n=_n(data), note="there are no rows with times")
    details = {
        name: {kind: float(rows.mean()) for kind, rows in kinds.items() if len(rows)}
        for name, kinds in broken.items()
    }
    return _share(data, seed, wrong, item, details)


def repeated_levels(data: EvalData, seed: int) -> Score:
    """Return the share of rows that repeat a level that siblings never share in training."""
    train, made = tables_of(data.train), tables_of(data.synthetic)
    wrong, item, details = [], [], {}
    for form in train.forms:
        unique = never_repeated(form, train.frames[form.name], parent_positions(form, train))
        frame, parent = made.frames[form.name], parent_positions(form, made)
        for name in unique:
            cells = pd.DataFrame({"parent": parent, "level": frame[name].to_numpy()})
            twice = (cells.duplicated() & cells["level"].notna()).to_numpy()
            wrong.append(twice)
            item.append(frame["item"].to_numpy())
            details[f"{form.name}.{name}"] = float(twice.mean()) if len(twice) else 0.0
    if not wrong or not len(np.concatenate(wrong)):
        return Score(None, n=_n(data), note="siblings share the levels of every column in training")
    return _share(data, seed, np.concatenate(wrong), np.concatenate(item), details)


def _averaged(data: EvalData, seed: int, alike: Similarity) -> Score:
    """Return the mean of similarities of parts, with an interval by bootstrap over subjects."""
    real, made = Arm.of(data.holdout), Arm.of(data.synthetic)
    parts = alike(real, made)
    if not parts:
        return Score(None, n=_n(data), note="there is nothing to compare")
    value = float(np.mean(list(parts.values())))
    draws = []
    for first, second in _drawn(data, seed):
        again = alike(real.take(first), made.take(second))
        draws.append(float(np.mean(list(again.values()))) if again else float("nan"))
    worst = sorted(parts.items(), key=lambda part: part[1])[:_WORST]
    interval = centred_interval(value, draws, (0.0, 1.0))
    return Score(
        value, interval, _n(data), note=f"{len(parts)} parts", details={"lowest": dict(worst)}
    )


def _share(
    data: EvalData, seed: int, wrong: np.ndarray, item: np.ndarray, details: Mapping[str, Any]
) -> Score:
    """Return the share of wrong rows, with an interval by bootstrap over subjects."""
    count = len(data.synthetic)
    bad = np.bincount(item, weights=wrong, minlength=count)
    rows = np.bincount(item, minlength=count)
    value = float(bad.sum() / rows.sum())
    drawn = bootstrap_rows(data.synthetic.samples.subject_ids, seed=seed, repeats=10 * _REPEATS)
    draws = [bad[b].sum() / max(rows[b].sum(), 1) for b in drawn]
    return Score(value, centred_interval(value, draws, (0.0, 1.0)), _n(data), details=details)


def _drawn(data: EvalData, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    arms = (data.holdout, data.synthetic)
    drawn = [
        bootstrap_rows(view.samples.subject_ids, seed=seed + k, repeats=_REPEATS)
        for k, view in enumerate(arms)
    ]
    return list(zip(*drawn, strict=True))


def _n(data: EvalData) -> int:
    return min(len(set(v.samples.subject_ids)) for v in (data.holdout, data.synthetic))
