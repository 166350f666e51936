from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp, spearmanr
from scipy.stats.contingency import association

from casemix.errors import EvaluationError
from casemix.evaluation.tables import (
    associations,
    dependence_similarity,
    encode_columns,
    marginal_similarity,
)


def table(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.normal(60, 10, n)
    creatinine = np.exp(0.03 * age + rng.normal(0, 0.3, n))
    creatinine[rng.random(n) < 0.3] = np.nan
    sex = np.where(rng.random(n) < 0.5, "F", "M").astype(object)
    group = np.where(age > 65, "ill", np.where(rng.random(n) < 0.3, "ill", "well"))
    return pd.DataFrame({"age": age, "creatinine": creatinine, "sex": sex, "group": group})


def independent(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rng.permutation(frame[name].to_numpy()) for name in frame})


def test_numeric_marginal_is_one_minus_ks():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=200), rng.normal(0.5, 1, size=150)
    found = marginal_similarity(pd.DataFrame({"x": a}), pd.DataFrame({"x": b}))
    assert found.value == pytest.approx(1 - ks_2samp(a, b).statistic)


def test_categorical_marginal_is_one_minus_total_variation_with_missing_as_a_level():
    real = pd.DataFrame({"c": ["a", "a", "b", None]})
    made = pd.DataFrame({"c": ["a", "b", "b", "z"]})
    # shares a .5/.25, b .25/.5, missing .25/0, z 0/.25
    assert marginal_similarity(real, made).value == pytest.approx(1 - 0.5)


def test_missing_rate_alone_costs_its_own_share():
    x = np.arange(100.0)
    half = np.where(np.arange(100) % 2 == 0, x, np.nan)
    found = marginal_similarity(pd.DataFrame({"x": x}), pd.DataFrame({"x": half}))
    assert found.value == pytest.approx(1 - 0.5 - 0.5 * ks_2samp(x, x[::2]).statistic)


def test_a_column_missing_throughout_is_as_far_as_the_missing_rate():
    real, made = pd.DataFrame({"x": [1.0, 2.0]}), pd.DataFrame({"x": [np.nan, np.nan]})
    assert marginal_similarity(real, made).value == 0.0
    assert marginal_similarity(made, made).value == 1.0


def test_independent_columns_pass_marginals_and_fail_dependence():
    real, fresh = table(800, 0), table(800, 1)
    mixed = independent(fresh, 2)
    marginal = marginal_similarity(real, fresh).value, marginal_similarity(real, mixed).value
    assert marginal[0] == pytest.approx(marginal[1])
    assert (
        dependence_similarity(real, mixed).value < dependence_similarity(real, fresh).value - 0.02
    )


def test_marginals_worsen_with_every_shift():
    real = table(500, 0)
    values = [
        marginal_similarity(real, table(500, 1).assign(age=lambda t, s=s: t.age + s)).value
        for s in (0, 5, 10, 20)
    ]
    assert values == sorted(values, reverse=True)


def test_associations_agree_with_scipy():
    frame = table(400, 3)
    matrix = associations(frame)
    seen = frame.dropna()
    rho = spearmanr(seen.age, seen.creatinine).statistic
    assert matrix.loc["age", "creatinine"] == pytest.approx(rho)
    crossed = pd.crosstab(frame.sex, frame.group).to_numpy()
    assert matrix.loc["sex", "group"] == pytest.approx(association(crossed, method="cramer"))
    ranks = frame.age.rank()
    between = ((ranks.groupby(frame.group).transform("mean") - ranks.mean()) ** 2).sum()
    eta = np.sqrt(between / ((ranks - ranks.mean()) ** 2).sum())
    assert matrix.loc["age", "group"] == pytest.approx(eta)
    assert "creatinine missing" in matrix.columns


def test_informative_missingness_lost_lowers_dependence():
    real = table(600, 0)
    real.loc[real.age > 62, "creatinine"] = np.nan
    lost = real.assign(creatinine=np.random.default_rng(1).permutation(real.creatinine))
    parts = dependence_similarity(real, lost).parts
    assert parts["age ~ creatinine missing"] < 0.75


def test_a_constant_synthetic_column_counts_as_no_association():
    real = table(300, 0)
    found = dependence_similarity(real, real.assign(age=60.0))
    wanted = 1 - abs(associations(real).loc["age", "group"]) / 2
    assert found.parts["age ~ group"] == pytest.approx(wanted)


def test_row_order_does_not_matter():
    real, made = table(200, 0), table(200, 1)
    moved = made.sample(frac=1, random_state=0)
    assert dependence_similarity(real, made).value == pytest.approx(
        dependence_similarity(real, moved).value
    )
    assert marginal_similarity(real, made).value == marginal_similarity(real, moved).value


def test_encoding_shares_codes_between_arms_and_keeps_missing():
    real = pd.DataFrame({"c": ["b", "b", "a", None], "x": [1, 2, 3, 4]})
    made = pd.DataFrame({"x": [5, 6], "c": ["a", "new"]})
    first, second, categorical = encode_columns(real, made)
    assert categorical.tolist() == [True, False]
    assert first[:3, 0].tolist() == [0, 0, 1]
    assert np.isnan(first[3, 0])
    assert second.tolist() == [[1, 5], [2, 6]]


def test_different_columns_are_an_error_that_names_them():
    with pytest.raises(EvaluationError, match="sexx"):
        marginal_similarity(pd.DataFrame({"sex": ["F"]}), pd.DataFrame({"sexx": ["F"]}))


def test_one_row_is_too_few():
    frame = pd.DataFrame({"x": [1.0]})
    with pytest.raises(EvaluationError, match="Too few rows"):
        marginal_similarity(frame, frame)


def test_dependence_of_one_column_is_an_error():
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
    with pytest.raises(EvaluationError, match="No pair"):
        dependence_similarity(frame, frame)
