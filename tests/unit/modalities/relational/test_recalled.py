"""Rows recall those of the first parent in their sample, in training as in drawing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.core.fields import Field, Kind, Schema
from casemix.modalities.relational import recalled
from casemix.modalities.relational.steps import Parents

CODES = Schema((Field("code", Kind.CATEGORICAL, levels=("a", "b", "c", "d")),))
STEPS = pd.DataFrame({"code": ["a", "b", "c", "d", "a", "c"]})
PARENT = np.array([0, 0, 1, 1, 1, 2])
POSITION = np.array([0, 1, 0, 1, 2, 0])
ITEM = np.array([0, 0, 1])
PARENTS = Parents(
    np.array(["p", "q", "r"], dtype=object),
    ITEM,
    np.array([0, 1, 0]),
    np.zeros(3),
    np.full(3, np.nan),
    pd.DataFrame(index=range(3)),
    Schema(),
)


def test_training_rows_recall_the_row_at_their_position_and_the_first_parents_nothing():
    found = recalled.of_training(STEPS, PARENTS, PARENT, POSITION)["code"]
    assert found.fillna("").tolist() == ["", "", "a", "b", "", ""]


def test_drawn_rows_recall_by_sample():
    first = {0: pd.DataFrame({"code": ["a", "c"]}, index=[0, 1])}
    later = PARENTS.take(np.array([1]))
    assert recalled.of_drawn(first, later, 0, CODES)["code"].tolist() == ["a"]
    assert recalled.of_drawn(first, later, 5, CODES)["code"].isna().tolist() == [True]
