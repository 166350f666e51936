from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.errors import EvaluationError
from casemix.evaluation.missingness import co_missingness_difference, missing_pattern_distance


def panel(n: int, seed: int) -> pd.DataFrame:
    """Creatinine and urea come from one tube; lactate is asked for in the ill."""
    rng = np.random.default_rng(seed)
    values = pd.DataFrame(rng.normal(size=(n, 4)), columns=["age", "creatinine", "urea", "lactate"])
    tube, ill = rng.random(n) < 0.3, values["age"] > 0
    values.loc[tube, ["creatinine", "urea"]] = np.nan
    values.loc[~ill | tube, "lactate"] = np.nan
    return values


def mixed(frame: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    made = frame.copy()
    for name in made:
        rows = rng.permutation(len(made))[: int(share * len(made))]
        made.loc[rows, name] = made[name].to_numpy()[rng.permutation(rows)]
    return made


def test_pattern_distance_is_the_total_variation_of_counted_patterns():
    real, made = panel(300, 0), mixed(panel(200, 1), 0.5, 2)
    shares = [arm.isna().apply(tuple, axis=1).value_counts(normalize=True) for arm in (real, made)]
    wanted = shares[0].sub(shares[1], fill_value=0.0).abs().sum() / 2
    found = missing_pattern_distance(real, made)
    assert found.value == pytest.approx(wanted)
    assert (found.common, found.patterns) == (1.0, 3)


def test_rare_patterns_share_one():
    rng = np.random.default_rng(0)
    real, fresh = (pd.DataFrame(np.where(rng.random((400, 30)) < 0.5, 1.0, np.nan)) for _ in "ab")
    found = missing_pattern_distance(real, fresh)
    assert (found.value, found.common, found.patterns) == (0.0, 0.0, 0)


def test_co_missingness_is_that_of_pandas():
    real, made = panel(300, 0), mixed(panel(300, 1), 0.5, 2)
    names = ["creatinine", "urea", "lactate"]
    gap = real[names].isna().corr() - made[names].isna().corr()
    wanted = np.sqrt((gap.to_numpy()[np.triu_indices(3, 1)] ** 2).mean())
    assert co_missingness_difference(real, made) == pytest.approx(wanted)


@pytest.mark.parametrize(
    "measure", [lambda a, b: missing_pattern_distance(a, b).value, co_missingness_difference]
)
def test_every_mixed_cell_costs_and_real_is_near_best(measure):
    real, fresh = panel(800, 0), panel(800, 1)
    values = [measure(real, mixed(fresh, share, 2)) for share in (0.0, 0.3, 0.6, 1.0)]
    assert values == sorted(values)
    assert values[0] < 0.08
    assert values[-1] > 0.3


def test_row_order_does_not_matter():
    real, made = panel(200, 0), panel(200, 1)
    moved = made.sample(frac=1, random_state=0)
    assert missing_pattern_distance(real, made) == missing_pattern_distance(real, moved)
    assert co_missingness_difference(real, made) == pytest.approx(
        co_missingness_difference(real, moved)
    )


def test_a_complete_table_has_no_pattern():
    whole = pd.DataFrame({"x": [1.0, 2.0], "y": [1.0, 2.0]})
    with pytest.raises(EvaluationError, match="No real cell"):
        missing_pattern_distance(whole, whole)
    with pytest.raises(EvaluationError, match="at least two columns"):
        co_missingness_difference(whole, whole)
