from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.errors import EvaluationError
from casemix.evaluation.quality_report import column_shapes, pair_trends
from casemix.evaluation.tables import marginal_similarity


def table(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.normal(60, 10, n).round()
    creatinine = np.exp(0.03 * age + rng.normal(0, 0.3, n))
    creatinine[rng.random(n) < 0.3] = np.nan
    sex = np.where(rng.random(n) < 0.5, "F", "M").astype(object)
    group = np.where(age > 65, "ill", np.where(rng.random(n) < 0.3, "frail", "well")).astype(object)
    group[rng.random(n) < 0.1] = None
    return pd.DataFrame({"age": age, "creatinine": creatinine, "sex": sex, "group": group})


def independent(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rng.permutation(frame[name].to_numpy()) for name in frame})


KINDS = {
    "age": "numerical",
    "creatinine": "numerical",
    "sex": "categorical",
    "group": "categorical",
}


@pytest.mark.parametrize("made", [table(300, 1), independent(table(250, 2), 3)])
def test_both_properties_are_those_of_sdmetrics(made):
    properties = pytest.importorskip("sdmetrics.reports.single_table._properties")
    real = table(400, 0)
    metadata = {"columns": {name: {"sdtype": kind} for name, kind in KINDS.items()}}
    shapes = properties.ColumnShapes().get_score(real, made, metadata)
    trends = properties.ColumnPairTrends().get_score(real, made, metadata)
    assert column_shapes(real, made).value == pytest.approx(shapes, abs=1e-6)
    assert pair_trends(real, made).value == pytest.approx(trends, abs=1e-6)


def test_our_marginals_are_sdmetrics_complements_where_nothing_is_missing():
    sdmetrics = pytest.importorskip("sdmetrics.single_column")
    real, made = table(300, 0), table(200, 1)
    parts = marginal_similarity(real, made).parts
    assert parts["age"] == pytest.approx(sdmetrics.KSComplement.compute(real.age, made.age))
    assert parts["sex"] == pytest.approx(
        sdmetrics.TVComplement.compute(real.sex, made.sex), abs=1e-6
    )


def shared_bins(real, synthetic):
    return pair_trends(real, synthetic, bins="real")


def test_independent_columns_keep_shapes_and_lose_trends():
    real, fresh = table(1500, 0), table(1500, 1)
    mixed = independent(fresh, 2)
    assert column_shapes(real, mixed).value == pytest.approx(column_shapes(real, fresh).value)
    assert pair_trends(real, mixed).value < pair_trends(real, fresh).value - 0.02
    assert shared_bins(real, mixed).value < shared_bins(real, fresh).value - 0.1


def test_bins_of_each_range_cost_two_real_samples_what_one_largest_value_moves():
    real = table(800, 0)
    outlier = real.copy()
    outlier.loc[0, "age"] = 200.0
    assert pair_trends(real, outlier).parts["age ~ sex"] < 0.6
    assert shared_bins(real, outlier).parts["age ~ sex"] > 0.99


@pytest.mark.parametrize("measure", [column_shapes, shared_bins])
def test_every_shift_costs_and_real_is_near_best(measure):
    real = table(800, 0)

    def shifted(by: float) -> pd.DataFrame:
        made = table(800, 1)
        ill = made["group"].where(np.arange(800) % 40 >= by, "ill")
        return made.assign(age=made.age + by, group=ill)

    values = [measure(real, shifted(by)).value for by in (0, 5, 15, 30)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.93


def test_row_order_does_not_matter():
    real, made = table(200, 0), table(200, 1)
    moved = made.sample(frac=1, random_state=0)
    assert column_shapes(real, made).value == pytest.approx(column_shapes(real, moved).value)
    assert pair_trends(real, made).value == pytest.approx(pair_trends(real, moved).value)


def test_too_few_rows_and_empty_columns_are_errors():
    with pytest.raises(EvaluationError, match="Too few rows"):
        pair_trends(table(1, 0), table(1, 0))
    empty = pd.DataFrame({"x": [np.nan, np.nan, np.nan]})
    with pytest.raises(EvaluationError, match="observed"):
        column_shapes(empty, empty)
    with pytest.raises(EvaluationError, match="No pair"):
        pair_trends(empty, empty)
