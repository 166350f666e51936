from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from casemix.errors import EvaluationError
from casemix.evaluation.alpha_precision import alpha_precision


def cloud(n: int, seed: int, dims: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dims))


def test_curves_of_a_shrunk_gaussian_are_those_of_the_chi_square_distribution():
    found = alpha_precision(cloud(20_000, 0), 0.7 * cloud(20_000, 1))
    radii = chi2.ppf(found.levels, 6)
    assert found.precision_curve == pytest.approx(chi2.cdf(radii / 0.49, 6), abs=0.02)
    assert found.recall_curve == pytest.approx(chi2.cdf(0.49 * radii, 6), abs=0.02)
    wanted = 1 - 2 * np.abs(found.precision_curve - found.levels).mean()
    assert found.precision == pytest.approx(wanted)


def test_real_against_real_is_near_best_and_itself_is_best():
    real = cloud(500, 0)
    fresh, own = alpha_precision(real, cloud(500, 1)), alpha_precision(real, real)
    assert min(fresh.precision, fresh.recall) > 0.9
    assert min(own.precision, own.recall) > 0.99


@pytest.mark.parametrize(
    "corrupt",
    [lambda x, s: x * (1 - 0.2 * s), lambda x, s: x * (1 + 0.3 * s), lambda x, s: x + 0.4 * s],
    ids=["shrunk", "widened", "moved"],
)
def test_every_step_away_costs(corrupt):
    real, fresh = cloud(500, 0), cloud(500, 1)
    found = [alpha_precision(real, corrupt(fresh, step)) for step in range(4)]
    for values in ([f.precision for f in found], [f.recall for f in found]):
        assert values == sorted(values, reverse=True)
        assert values[0] - values[-1] > 0.3


def test_row_order_does_not_matter():
    real, made = cloud(200, 0), 0.9 * cloud(200, 1)
    there, back = alpha_precision(real, made), alpha_precision(real[::-1], made[::-1])
    assert there.precision == pytest.approx(back.precision)
    assert there.recall == pytest.approx(back.recall)


def test_too_few_rows_and_other_columns_are_errors():
    with pytest.raises(EvaluationError, match="too few rows"):
        alpha_precision(cloud(9, 0), cloud(50, 1))
    with pytest.raises(EvaluationError, match="different columns"):
        alpha_precision(cloud(20, 0, 3), cloud(20, 1, 4))
