import itertools

import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Field, Kind, Schema
from casemix.errors import ConditionError, FitError
from casemix.modalities.tabular.generators.trees import Config, Trees, chain
from casemix.modalities.tabular.toy import SCHEMA, toy

from .conftest import as_conditions, nothing, samples, share, spearman


@pytest.fixture(scope="module")
def made(trees):
    return trees.generate(nothing(600), seed=1).payload.frame


def test_dependence_between_columns_is_kept(train, made):
    real = train.payload.frame
    assert spearman(real, "marker", "clearance") < -0.9
    assert spearman(made, "marker", "clearance") == pytest.approx(
        spearman(real, "marker", "clearance"), abs=0.05
    )
    mean = [f.groupby("stage")["marker"].median() for f in (real, made)]
    assert np.allclose(np.log(mean[0]), np.log(mean[1]), atol=0.2)


def test_missing_cells_keep_their_share_and_what_they_depend_on(train, made):
    real = train.payload.frame
    for stage in (None, "I", "III"):
        rows = [f if stage is None else f[f["stage"] == stage] for f in (real, made)]
        lacking = [share(r["clearance"].isna()) for r in rows]
        assert lacking[1] == pytest.approx(lacking[0], abs=0.06)
    assert not made["marker"].isna().any()


def test_levels_ranges_and_resolution_are_those_of_the_records(train, made):
    assert set(made["ward"]) <= set(train.payload.frame["ward"])
    assert made["marker"].between(0, 1000).all()
    assert np.array_equal(made["marker"], np.round(made["marker"]))
    known = made["clearance"].dropna()
    assert np.array_equal(known, np.round(known, 1))


@pytest.mark.parametrize("columns", list(itertools.combinations(SCHEMA.names, 3)))
def test_any_three_columns_can_be_fixed(trees, columns):
    fresh, _ = toy(40, seed=5)
    asked = as_conditions(fresh.payload.frame, SCHEMA, "new-").pick(columns)
    made = trees.generate(asked, seed=1).payload.frame
    for name in columns:
        known = asked.rows[name].notna().to_numpy()
        assert made[name][known].tolist() == asked.rows[name][known].tolist()


def test_a_fixed_late_column_speaks_to_earlier_ones(train, trees):
    real = train.payload.frame
    rows = pd.DataFrame({"clearance": np.full(200, 60.0)})
    asked = as_conditions(rows, SCHEMA.pick(["clearance"]), "new-")
    made = trees.generate(asked, seed=1).payload.frame
    near = real[(real["clearance"] - 60.0).abs() < 3]
    assert np.log(made["marker"]).mean() == pytest.approx(np.log(near["marker"]).mean(), abs=0.15)


def test_other_conditions_are_followed_or_drawn():
    data, given = toy(600)
    model = Trees().fit(data, given, seed=0)
    rows = given.rows.assign(severity=0.9).iloc[:200]
    high = model.generate(type(given)(rows, given.schema), seed=1).payload.frame
    free = model.generate(nothing(600), seed=1).payload.frame
    real = data.payload.frame
    assert share(high["stage"] == "III") > 0.9
    assert share(free["stage"] == "III") == pytest.approx(share(real["stage"] == "III"), abs=0.08)
    assert spearman(free, "marker", "clearance") < -0.8


def test_no_rare_real_value_comes_out():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": np.exp(rng.normal(size=400)), "y": rng.normal(size=400)})
    schema = Schema((Field("x", Kind.NUMERIC), Field("y", Kind.NUMERIC)))
    data, given = samples(frame, schema)
    made = Trees().fit(data, given, seed=0).generate(nothing(2000), seed=1).payload.frame
    assert not set(made["x"]) & set(frame["x"])
    assert made["x"].max() != frame["x"].max()


def test_smooth_dependence_on_many_conditions_is_kept_with_few_rows():
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(300, 40))
    target = axes[:, :5].sum(axis=1) + rng.normal(size=300)
    data, _ = samples(pd.DataFrame({"lab": target}), Schema((Field("lab", Kind.NUMERIC),)))
    fields = Schema(tuple(Field(f"up.embedding.{k}", Kind.NUMERIC) for k in range(40)))
    model = Trees().fit(
        data, as_conditions(pd.DataFrame(axes, columns=fields.names), fields), seed=0
    )
    fresh = rng.normal(size=(300, 40))
    asked = as_conditions(pd.DataFrame(fresh, columns=fields.names), fields, "new-")
    made = model.generate(asked, seed=1).payload.frame["lab"]
    signal = fresh[:, :5].sum(axis=1)
    # The truth itself has 5 / 6 of its variance from the signal: a correlation of 0.91.
    assert np.corrcoef(made, signal)[0, 1] > 0.8


def test_a_number_that_many_share_keeps_its_share_beside_a_smooth_dependence():
    rng = np.random.default_rng(0)
    x = rng.normal(size=1500)
    y = np.round(2 * x + 0.3 * rng.normal(size=1500), 2)
    y[rng.random(1500) < 0.2] = 1.0
    frame, schema = (
        pd.DataFrame({"x": x, "y": y}),
        Schema(tuple(Field(name, Kind.NUMERIC) for name in "xy")),
    )
    data, given = samples(frame, schema)
    model = Trees().fit(data, given, seed=0)
    found = model.generate(nothing(1500), seed=1).payload.frame
    assert share(found["y"] == 1.0) == pytest.approx(share(frame["y"] == 1.0), abs=0.04)
    assert spearman(found, "x", "y") == pytest.approx(spearman(frame, "x", "y"), abs=0.06)


def test_columns_with_nothing_to_learn_are_learnt():
    frame = pd.DataFrame({"empty": np.full(30, np.nan), "same": np.full(30, 4.2), "x": range(30)})
    schema = Schema(tuple(Field(n, Kind.NUMERIC) for n in frame))
    data, given = samples(frame, schema)
    made = Trees().fit(data, given, seed=0).generate(nothing(20), seed=1).payload.frame
    assert made["empty"].isna().all()
    assert set(made["same"]) == {4.2}


def test_zero_rows_asked_for_are_zero_rows(trees):
    assert len(trees.generate(nothing(0), seed=1)) == 0


def test_columns_of_very_many_levels_come_before_the_others():
    many = Field("diagnosis", Kind.CATEGORICAL, levels=tuple(map(str, range(200))))
    table = Schema((many, Field("x", Kind.NUMERIC)))
    given = Schema((Field("often", Kind.NUMERIC), Field("never", Kind.NUMERIC)))
    rows = pd.DataFrame({"often": [1.0, np.nan], "never": [1.0, 2.0]})
    order = [f.name for f in chain(table, table.join(given), rows)]
    assert order == ["never", "often", "diagnosis", "x"]


def test_many_levels_keep_what_they_go_with():
    rng = np.random.default_rng(0)
    code = rng.integers(0, 60, size=3000)
    frame = pd.DataFrame({"x": code // 20 * 3.0 + rng.normal(size=3000), "code": code.astype(str)})
    levels = tuple(map(str, range(60)))
    schema = Schema((Field("x", Kind.NUMERIC), Field("code", Kind.CATEGORICAL, levels=levels)))
    data, given = samples(frame, schema)
    made = Trees(Config(trees=4)).fit(data, given, seed=0).generate(nothing(1000), seed=1)
    third = made.payload.frame["code"].astype(int) // 20
    means = made.payload.frame["x"].groupby(third).mean()
    assert means.tolist() == pytest.approx([0.0, 3.0, 6.0], abs=0.4)


def test_too_few_records_are_refused():
    data, given = toy(7)
    with pytest.raises(FitError, match="at least 8"):
        Trees().fit(data, given, seed=0)


def test_lists_of_codes_are_learnt_and_can_be_given():
    rng = np.random.default_rng(0)
    age = rng.uniform(20, 90, size=1500)
    drugs = [["aspirin", "statin"] if a > 55 else ["aspirin"] for a in age]
    schema = Schema((Field("age", Kind.NUMERIC), Field("drugs", Kind.CODES)))
    frame = pd.DataFrame({"age": age, "drugs": drugs})
    trees = Trees().fit(samples(frame, schema)[0], as_conditions(frame, schema), seed=0)
    made = trees.generate(nothing(200), seed=1).payload.frame
    statin = made["drugs"].map(lambda codes: "statin" in codes)
    assert share(statin == (made["age"] > 55)) > 0.9
    asked = as_conditions(pd.DataFrame({"drugs": [["statin"]] * 100}), schema.pick(["drugs"]))
    older = trees.generate(asked, seed=1).payload.frame
    assert older["drugs"].tolist() == [["statin"]] * 100
    assert share(older["age"] > 55) > 0.9


def test_a_code_of_few_subjects_never_comes_out():
    rng = np.random.default_rng(0)
    lists = [["I10", "Q20"] if i < 20 else ["I10"] if i % 2 else [] for i in range(200)]
    frame = pd.DataFrame({"x": rng.normal(size=200), "codes": lists})
    schema = Schema((Field("x", Kind.NUMERIC), Field("codes", Kind.CODES)))
    data, given = samples(frame, schema)
    # Twenty rows have Q20, but only four subjects.
    owners = [f"s{i % 4 if i < 20 else i}" for i in range(200)]
    rows = given.rows.assign(subject_id=owners)
    trees = Trees().fit(data, type(given)(rows, given.schema), seed=0)
    made = trees.generate(nothing(500), seed=1).payload.frame
    assert {code for codes in made["codes"] for code in codes} == {"I10"}


def test_levels_and_extremes_of_few_subjects_come_out_only_where_asked_for():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"height": np.round(rng.normal(170, 10, size=400), 1), "ward": "medicine"})
    frame.loc[:24, "ward"] = "burns"
    frame.loc[:24, "height"] = 431.8
    schema = Schema(
        (
            Field("height", Kind.NUMERIC, "cm", range=(50, 431.8)),
            Field("ward", Kind.CATEGORICAL, levels=("burns", "medicine")),
        )
    )
    data, _ = samples(frame, schema)
    given = as_conditions(frame, schema)
    owners = [f"s{i % 2 if i < 25 else i}" for i in range(400)]
    trees = Trees().fit(data, type(given)(given.rows.assign(subject_id=owners), schema), seed=0)
    made = trees.generate(nothing(2000), seed=1).payload.frame
    assert set(made["ward"]) == {"medicine"}
    assert made["height"].max() < 205
    asked = as_conditions(frame.iloc[:10], schema, "new-")
    assert trees.generate(asked, seed=1).payload.frame.equals(frame.iloc[:10])


def test_a_condition_that_differs_from_its_column_is_refused(train):
    other = Schema((Field("treated", Kind.CATEGORICAL, levels=("no", "yes")),))
    with pytest.raises(ConditionError, match="treated"):
        Trees().fit(train, as_conditions(train.payload.frame[["treated"]], other), seed=0)
