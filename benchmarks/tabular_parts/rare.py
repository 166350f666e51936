"""Whether rare levels are kept, and as often as they are in real rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from casemix.core.fields import Kind
from tabular_parts.data import SUBJECT, Part

_SHARES = (0.001, 0.02)  # of the training rows
_SUBJECTS = 20  # in training at least: with fewer a method may have reason to keep them back
_Level = tuple[str, str]


def levels_kept(
    train: pd.DataFrame, held_out: pd.DataFrame, made: pd.DataFrame, part: Part
) -> dict[str, Any]:
    """Return the share of rare levels that come out, and how often, beside held-out rows.

    Rare are levels of .1 to 2 % of the training rows, and those of the target whatever their
    share, if 20 training subjects have them. The ratio is the geometric mean over them of made
    (held-out) to training frequency, half a row added to each: 1 is ideal, an average that a few
    lost levels pull down far.
    """
    rare = list(_rare(train, part))
    if not rare:
        return {"rare_levels": 0}
    row: dict[str, Any] = {"rare_levels": len(rare)}
    real, _ = _shares(train, rare)
    for name, rows in (("", made), ("_held_out", held_out)):
        share, found = _shares(rows, rare)
        row[f"rare_levels_kept{name}"] = float(found.mean())
        row[f"rare_levels_ratio{name}"] = float(np.exp(np.log(share / real).mean()))
    return row


def _rare(train: pd.DataFrame, part: Part) -> Iterator[_Level]:
    for field in part.schema:
        if field.kind is Kind.NUMERIC:
            continue
        held = train.groupby(field.name)[SUBJECT].agg(["size", "nunique"])
        rare = (held["size"] / len(train)).between(*_SHARES) | (field.name == part.target[0])
        for level in held.index[rare & (held["nunique"] >= _SUBJECTS)]:
            yield field.name, str(level)


def _shares(rows: pd.DataFrame, levels: list[_Level]) -> tuple[np.ndarray, np.ndarray]:
    """Return the smoothed share of rows with each level, and whether any row has it, (levels,)."""
    counts = np.array([(rows[name] == level).sum() for name, level in levels])
    return (counts + 0.5) / (len(rows) + 0.5), counts > 0
