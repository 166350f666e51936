import numpy as np
import pytest

from casemix.modalities.tabular.normal_score import NormalScore


@pytest.fixture
def skewed():
    return np.exp(np.random.default_rng(0).normal(size=2000))


def test_scores_of_a_skewed_sample_are_standard_normal(skewed):
    scores = NormalScore.fit(skewed).score(skewed)
    assert abs(scores.mean()) < 0.02
    assert abs(scores.std() - 1) < 0.03


def test_values_come_back_from_their_scores(skewed):
    score = NormalScore.fit(skewed)
    inner = np.sort(skewed)[50:-50]
    assert np.allclose(score.value(score.score(inner)), inner, rtol=1e-9)


def test_the_largest_value_is_not_kept(skewed):
    outlying = np.append(skewed, 1e6)
    assert NormalScore.fit(outlying).value(np.array([10.0]))[0] < 9e5


def test_a_knot_stands_for_at_least_eight_rows():
    values = np.arange(100.0)
    inner = NormalScore.fit(values).values[1:-1]
    assert len(inner) <= 100 // 8


def test_a_single_value_maps_to_itself():
    score = NormalScore.fit(np.full(5, 7.0))
    assert score.value(np.array([-3.0, 3.0])).tolist() == [7.0, 7.0]


def test_json_keeps_the_map(skewed):
    score = NormalScore.fit(skewed)
    again = NormalScore.from_json(score.to_json())
    assert np.array_equal(again.values, score.values)
    assert np.array_equal(again.scores, score.scores)
