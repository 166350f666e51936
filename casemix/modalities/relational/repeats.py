"""Levels that never repeat among the children of one parent, such as one admission's diagnoses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from casemix.core.fields import LEVELLED
from casemix.modalities.relational.table_form import TableForm

_EXPECTED = 5.0  # repeats by chance, below which their absence says nothing


def never_repeated(form: TableForm, frame: pd.DataFrame, parent: np.ndarray) -> tuple[str, ...]:
    """Return the levelled columns in which siblings never share a level, although chance says so.

    Args:
        form: the table.
        frame: its rows.
        parent: position of each row's parent, (n,).
    """
    sizes = np.bincount(parent)
    pairs = float((sizes * (sizes - 1) / 2).sum())
    found = []
    for f in form.own:
        if f.kind not in LEVELLED or frame[f.name].isna().any():
            continue
        shares = frame[f.name].value_counts(normalize=True).to_numpy()
        twice = pd.DataFrame({"parent": parent, "level": frame[f.name].to_numpy()}).duplicated()
        if pairs * float((shares**2).sum()) >= _EXPECTED and not twice.any():
            found.append(f.name)
    return tuple(found)


def repeats(
    drawn: pd.DataFrame,
    unique: tuple[str, ...],
    seen: Mapping[str, Mapping[int, set[object]]],
    parents: np.ndarray,
) -> np.ndarray:
    """Return which drawn rows have a level that an earlier child of their parent has, bool (n,)."""
    found = np.zeros(len(drawn), dtype=bool)
    for name in unique:
        levels = zip(parents, drawn[name], strict=True)
        found |= np.array([level in seen[name].get(int(p), ()) for p, level in levels], dtype=bool)
    return found
