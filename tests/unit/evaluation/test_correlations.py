from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import normalized_mutual_info_score

from casemix.errors import EvaluationError
from casemix.evaluation.correlations import (
    Levels,
    correlation_difference,
    mutual_information_difference,
    normalised_mutual_information,
)


def table(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    dose = rng.normal(0, 1, n)
    response = dose**2 + rng.normal(0, 0.3, n)  # a correlation of 0, but not independent
    response[rng.random(n) < 0.1] = np.nan
    weight = 70 + 5 * dose + rng.normal(0, 5, n)
    ward = np.where(dose > 0.5, "surgery", np.where(rng.random(n) < 0.5, "medicine", "cardiology"))
    return pd.DataFrame({"dose": dose, "response": response, "weight": weight, "ward": ward})


def mixed(frame: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """Shuffle a share of each column's cells."""
    rng = np.random.default_rng(seed)
    made = frame.copy()
    for name in made:
        rows = rng.permutation(len(made))[: int(share * len(made))]
        made.loc[rows, name] = made[name].to_numpy()[rng.permutation(rows)]
    return made


def test_correlation_difference_is_that_of_numpy():
    real, made = table(300, 0), mixed(table(300, 1), 0.5, 2)
    found = correlation_difference(real, made).parts["dose ~ weight"]
    wanted = [np.corrcoef(arm.dose, arm.weight)[0, 1] for arm in (real, made)]
    assert found == pytest.approx(abs(wanted[0] - wanted[1]))


def test_mutual_information_is_that_of_scikit_learn():
    codes = Levels.fit(table(300, 0)).code(table(300, 1))
    found = normalised_mutual_information(codes)
    for i in range(codes.shape[1]):
        for j in range(codes.shape[1]):
            wanted = normalized_mutual_info_score(codes[:, i], codes[:, j])
            assert found[i, j] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("measure", [correlation_difference, mutual_information_difference])
def test_every_mixed_cell_costs_and_real_is_near_best(measure):
    real, fresh = table(1000, 0), table(1000, 1)
    values = [measure(real, mixed(fresh, share, 2)).value for share in (0.0, 0.3, 0.6, 1.0)]
    assert values == sorted(values)
    assert values[0] < 0.08  # the square's correlation varies by about .07 at this size
    assert values[-1] > 3 * values[0]


def test_information_sees_what_correlation_does_not():
    real, fresh = table(1000, 0), table(1000, 1)
    rng = np.random.default_rng(2)
    made = fresh.assign(response=rng.permutation(fresh["response"]))
    pair = "dose ~ response"
    seen = mutual_information_difference(real, made).parts[pair]
    assert seen > 0.2
    assert correlation_difference(real, made).parts[pair] < seen / 2


def test_row_order_does_not_matter():
    real, made = table(200, 0), table(200, 1)
    moved = made.sample(frac=1, random_state=0)
    for measure in (correlation_difference, mutual_information_difference):
        assert measure(real, made).value == pytest.approx(measure(real, moved).value)


def test_unknown_levels_share_one_and_missing_has_its_own():
    levels = Levels.fit(pd.DataFrame({"ward": ["a", "a", "b", None]}))
    codes = levels.code(pd.DataFrame({"ward": ["a", "b", "new", None]}))
    assert codes[:, 0].tolist() == [1, 2, 3, 0]


def test_a_constant_synthetic_column_counts_as_uncorrelated():
    real = table(300, 0)
    wanted = abs(np.corrcoef(real.dose, real.weight)[0, 1])
    found = correlation_difference(real, real.assign(weight=70.0))
    assert found.parts["dose ~ weight"] == pytest.approx(wanted)


def test_fewer_than_two_columns_are_an_error():
    one = table(50, 0)[["dose"]]
    with pytest.raises(EvaluationError, match="two numeric columns"):
        correlation_difference(one, one)
    with pytest.raises(EvaluationError, match="two columns"):
        mutual_information_difference(one, one)
