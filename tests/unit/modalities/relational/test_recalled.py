"""Rows recall those of the first parent in their sample, in training as in drawing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.core.fields import Schema
from casemix.modalities.relational import recalled
from casemix.modalities.relational.steps import Parents

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


def test_drawn_rows_recall_what_the_first_parent_of_their_sample_had_in_the_turn_before():
    behind = np.array([0, 1, 0])
    last = pd.DataFrame({"code": ["a", "d", "c"]})
    first = recalled.firsts(last, PARENTS, np.array([0, 1, 2]), behind)
    assert first["code"].to_dict() == {0: "a", 1: "c"}
    found = recalled.of_drawn(first, PARENTS, np.array([0, 1]), behind)["code"]
    assert found.fillna("").tolist() == ["", "a"]


def test_a_first_parent_that_has_no_further_row_is_not_recalled():
    first = recalled.firsts(STEPS, PARENTS, np.array([2]), np.array([0, 1, 0]))
    found = recalled.of_drawn(first, PARENTS, np.array([1]), np.array([0, 1, 0]))["code"]
    assert found.isna().tolist() == [True]
