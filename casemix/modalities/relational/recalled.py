"""What the first parent of the same sample had: chronic diagnoses recur in later admissions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.core.fields import Schema
from casemix.modalities.relational.steps import Parents


def first_parents(parents: Parents) -> np.ndarray:
    """Return the position of the first parent in each one's sample, int (p,)."""
    _, first, sample = np.unique(parents.item, return_index=True, return_inverse=True)
    return first[sample]


def of_training(
    steps: pd.DataFrame, parents: Parents, parent: np.ndarray, position: np.ndarray
) -> pd.DataFrame:
    """Return, row by row, the step at the same position of the sample's first parent.

    Missing where that is the row's own parent, or has no such row.

    Args:
        steps: n steps in the order of parents.
        parents: what they belong to.
        parent: position of each row's parent, (n,).
        position: how many siblings come before each, (n,).
    """
    counts = np.bincount(parent, minlength=len(parents))
    begins = np.cumsum(counts) - counts
    first = first_parents(parents)[parent]
    there = (first != parent) & (position < counts[first])
    at = np.where(there, begins[first] + position, -1)
    return steps.reset_index(drop=True).reindex(at)


def of_drawn(
    drawn: dict[int, pd.DataFrame], parents: Parents, position: int, schema: Schema
) -> pd.DataFrame:
    """Return the same for parents that are being drawn.

    Args:
        drawn: position -> the steps of the first parents, by the position of their sample.
        parents: the parents whose row comes next.
        position: how many siblings come before it.
        schema: the columns of a step.
    """
    steps = drawn.get(position, schema.empty(pd.RangeIndex(0)))
    return steps.reindex(parents.item)
