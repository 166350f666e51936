"""What the first parent of the same sample had: chronic diagnoses recur in later admissions."""

from __future__ import annotations

import numpy as np
import pandas as pd

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
    of_first: pd.DataFrame, parents: Parents, active: np.ndarray, behind: np.ndarray
) -> pd.DataFrame:
    """Return the same for parents that are being drawn, one row behind their first parent.

    Args:
        of_first: what the first parents had in the turn before, from `firsts`.
        parents: all parents.
        active: positions of those whose row comes next.
        behind: 0 for first parents, 1 for the others, (p,).
    """
    return of_first.reindex(np.where(behind[active] > 0, parents.item[active], -1))


def firsts(
    steps: pd.DataFrame, parents: Parents, active: np.ndarray, behind: np.ndarray
) -> pd.DataFrame:
    """Return the last steps of the active first parents, by the position of their sample."""
    these = active[behind[active] == 0]
    return steps.iloc[these].set_axis(parents.item[these], axis=0)
