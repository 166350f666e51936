"""Vocabulary measures against scipy and against their definitions."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from casemix.errors import EvaluationError
from casemix.modalities.text.lexical import (
    count_words,
    distinct_words,
    growth_difference,
    jensen_shannon,
    zipf_slope,
)


def test_divergence_is_that_of_scipy():
    rng = np.random.default_rng(0)
    p, q = rng.integers(0, 9, (5, 40)), rng.integers(0, 9, (5, 40))
    expected = [jensenshannon(a, b, base=2) ** 2 for a, b in zip(p, q, strict=True)]
    np.testing.assert_allclose(jensen_shannon(p, q), expected, rtol=1e-9)


def test_divergence_of_strangers_is_one_bit():
    assert jensen_shannon([1, 1, 0, 0], [0, 0, 5, 2]) == pytest.approx(1.0)


def test_distinct_words_are_expected_without_replacement():
    counts, total = np.array([5, 3, 1, 1, 0]), 10
    expected = [
        sum(1 - comb(total - int(c), m) / comb(total, m) for c in counts) for m in (1, 4, 10)
    ]
    np.testing.assert_allclose(distinct_words(counts, [1, 4, 10]), expected, rtol=1e-9)
    assert expected[-1] == 4


def test_growth_differs_where_fewer_words_are_used():
    counts = np.full(100, 10)
    assert growth_difference(counts, counts) == 0.0
    assert growth_difference(counts, np.full(50, 20)) > growth_difference(counts, np.full(80, 12))


def test_zipf_slope_of_a_power_law():
    counts = 1e6 * np.arange(1, 501.0) ** -1.3
    assert zipf_slope(counts) == pytest.approx(-1.3)
    assert np.isnan(zipf_slope([3, 2]))


def test_words_are_counted_over_one_vocabulary():
    counts = count_words(["No pain, LVEF 35%."] * 30, ["Pain 3 of 10."] * 40)
    assert counts.words == ("#", "lvef", "no", "of", "pain")
    assert counts.real.sum(axis=0).tolist() == [30, 30, 30, 0, 30]
    assert counts.synthetic.sum(axis=0).tolist() == [80, 0, 0, 40, 40]


@pytest.mark.parametrize("notes", [["No pain."], ["..."], []])
def test_too_few_words_are_an_error(notes):
    with pytest.raises(EvaluationError, match="too few words"):
        count_words(["No pain at all."] * 50, notes)
