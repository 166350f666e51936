from __future__ import annotations

import numpy as np
import pytest

from casemix.errors import EvaluationError
from casemix.evaluation.fairness import by_subgroup

GROUPS = np.array(["F"] * 30 + ["M"] * 50 + ["X"] * 5 + [None] * 10, dtype=object)
VALUES = np.r_[np.full(30, 0.9), np.full(50, 0.7), np.zeros(15)]


def test_values_disparity_and_suppression():
    found = by_subgroup(lambda rows: VALUES[rows].mean(), GROUPS)
    assert found.values == pytest.approx({"F": 0.9, "M": 0.7})
    assert found.disparity == pytest.approx(0.2)
    assert found.suppressed == ("X",)


def test_missing_labels_form_no_group():
    found = by_subgroup(lambda rows: float(len(rows)), GROUPS, minimum=1)
    assert found.values == {"F": 30, "M": 50, "X": 5}


def test_one_group_has_no_disparity():
    assert by_subgroup(lambda rows: 1.0, np.repeat("F", 40)).disparity is None


def test_an_undefined_group_stays_visible_and_out_of_the_disparity():
    found = by_subgroup(lambda rows: np.nan if len(rows) == 30 else 0.7, GROUPS)
    assert np.isnan(found.values["F"])
    assert found.disparity is None


def test_no_labels_at_all_are_an_error():
    with pytest.raises(EvaluationError, match="group label"):
        by_subgroup(lambda rows: 1.0, [None, None])
