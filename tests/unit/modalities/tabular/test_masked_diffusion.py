from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Field, Kind, Schema
from casemix.core.training import TrainConfig
from casemix.modalities.tabular.generators.masked_diffusion import Config, MaskedDiffusion
from casemix.modalities.tabular.toy import SCHEMA, toy

from .conftest import as_conditions, nothing, samples, share, spearman

SETTINGS = TrainConfig(steps=400, batch_size=128, learning_rate=5e-3, warmup=20, ema_decay=0.98)
SMALL = Config(hidden=48, layers=2, rows_per_bin=10, epochs=200, batch=256, train=SETTINGS)
BITS = Schema(tuple(Field(name, Kind.BINARY) for name in ("a", "b", "odd")))


@pytest.fixture(scope="module")
def model(train):
    return MaskedDiffusion(SMALL).fit(train, as_conditions(train.payload.frame, SCHEMA), seed=0)


@pytest.fixture(scope="module")
def made(model):
    return model.generate(nothing(600), seed=1).payload.frame


@pytest.fixture(scope="module")
def parity():
    """``odd`` says whether one of two fair coins is 'yes': any two tell the third."""
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 600)) < 0.5
    cells = {"a": a, "b": b, "odd": a ^ b}
    frame = pd.DataFrame({n: np.where(v, "yes", "no").astype(object) for n, v in cells.items()})
    given = as_conditions(frame, BITS)
    return MaskedDiffusion(SMALL).fit(samples(frame, BITS)[0], given, seed=0)


def agrees(frame):
    a, b, odd = (frame[n] == "yes" for n in BITS.names)
    return share((a ^ b) == odd)


def test_dependence_between_columns_is_kept(train, made):
    real = train.payload.frame
    assert spearman(made, "marker", "clearance") == pytest.approx(
        spearman(real, "marker", "clearance"), abs=0.08
    )
    medians = [np.log(f.groupby("stage")["marker"].median()) for f in (real, made)]
    assert np.allclose(*medians, atol=0.3)


def test_missing_cells_keep_their_share_and_what_they_depend_on(train, made):
    for stage in ("I", "III"):
        lacking = [
            share(f[f["stage"] == stage]["clearance"].isna()) for f in (train.payload.frame, made)
        ]
        assert lacking[1] == pytest.approx(lacking[0], abs=0.08)
    assert not made["marker"].isna().any()


def test_resolution_and_range_are_those_of_the_records(made):
    assert made["marker"].between(0, 1000).all()
    assert np.array_equal(made["marker"], np.round(made["marker"]))
    known = made["clearance"].dropna()
    assert np.array_equal(known, np.round(known, 1))


@pytest.mark.parametrize("columns", [*combinations(SCHEMA.names, 3)][::3])
def test_any_three_columns_can_be_fixed(model, columns):
    fresh, _ = toy(30, seed=5)
    asked = as_conditions(fresh.payload.frame, SCHEMA, "new-").pick(columns)
    made = model.generate(asked, seed=1).payload.frame
    for name in columns:
        known = asked.rows[name].notna().to_numpy()
        assert made[name][known].tolist() == asked.rows[name][known].tolist()


def test_rows_drawn_one_column_at_a_time_obey_a_rule_of_three_columns(parity):
    assert agrees(parity.generate(nothing(300), seed=1).payload.frame) > 0.9


@pytest.mark.parametrize("pair", [*combinations(BITS.names, 2)])
def test_any_two_cells_decide_the_third(parity, pair):
    cells = np.array(["no", "yes"], dtype=object)[np.indices((2, 2)).reshape(2, -1).repeat(25, 1)]
    asked = as_conditions(pd.DataFrame(dict(zip(pair, cells, strict=True))), BITS.pick(pair))
    made = parity.generate(asked, seed=1).payload.frame
    assert made[list(pair)].to_numpy().T.tolist() == cells.tolist()
    assert agrees(made) > 0.9


def test_all_columns_in_one_step_are_independent(parity):
    at_once = MaskedDiffusion(Config(steps=1))
    vars(at_once).update({**vars(parity), "config": Config(steps=1)})
    assert agrees(at_once.generate(nothing(300), seed=1).payload.frame) == pytest.approx(
        0.5, abs=0.1
    )


def test_a_fixed_late_column_speaks_to_earlier_ones(train, model):
    real = train.payload.frame
    rows = pd.DataFrame({"clearance": np.full(200, 60.0)})
    made = model.generate(as_conditions(rows, SCHEMA.pick(["clearance"])), seed=1).payload.frame
    near = real[(real["clearance"] - 60.0).abs() < 3]
    assert np.log(made["marker"]).mean() == pytest.approx(np.log(near["marker"]).mean(), abs=0.2)


def test_conditions_that_are_no_columns_are_followed_or_drawn():
    data, given = toy(600)
    model = MaskedDiffusion(SMALL).fit(data, given, seed=0)
    rows = given.rows.assign(severity=0.9).iloc[:200]
    high = model.generate(type(given)(rows, given.schema), seed=1).payload.frame
    free = model.generate(nothing(600), seed=1).payload.frame
    real = data.payload.frame
    assert share(high["stage"] == "III") > 0.9
    assert share(free["stage"] == "III") == pytest.approx(share(real["stage"] == "III"), abs=0.1)
    assert list(high.columns) == list(SCHEMA.names)


def test_a_level_of_few_subjects_comes_out_only_where_it_is_asked_for():
    levels = ("common", "other", "rare")
    schema = Schema((Field("code", Kind.CATEGORICAL, levels=levels), Field("x", Kind.NUMERIC)))
    codes = np.array(["common", "other"] * 100 + ["rare"] * 4, dtype=object)
    frame = pd.DataFrame({"code": codes, "x": np.random.default_rng(0).normal(size=204)})
    model = MaskedDiffusion.tiny()
    model.fit(samples(frame, schema)[0], as_conditions(frame, schema), seed=0)
    assert "rare" not in set(model.generate(nothing(500), seed=1).payload.frame["code"])
    asked = as_conditions(pd.DataFrame({"code": ["rare"] * 5}), schema.pick(["code"]))
    assert set(model.generate(asked, seed=1).payload.frame["code"]) == {"rare"}


def test_lists_of_codes_are_learnt_and_can_be_given():
    age = np.random.default_rng(0).uniform(20, 90, size=400)
    drugs = [["aspirin", "statin"] if a > 55 else ["aspirin"] for a in age]
    schema = Schema((Field("age", Kind.NUMERIC), Field("drugs", Kind.CODES)))
    frame = pd.DataFrame({"age": age, "drugs": drugs})
    model = MaskedDiffusion(SMALL)
    model.fit(samples(frame, schema)[0], as_conditions(frame, schema), seed=0)
    made = model.generate(nothing(200), seed=1).payload.frame
    statin = made["drugs"].map(lambda codes: "statin" in codes)
    assert share(statin == (made["age"] > 55)) > 0.9
    asked = as_conditions(pd.DataFrame({"drugs": [["statin"]] * 50}), schema.pick(["drugs"]))
    assert share(model.generate(asked, seed=1).payload.frame["age"] > 52) > 0.9


def test_columns_with_nothing_to_learn_are_learnt():
    frame = pd.DataFrame({"empty": np.full(30, np.nan), "same": np.full(30, 4.2), "x": range(30)})
    schema = Schema(tuple(Field(n, Kind.NUMERIC) for n in frame))
    model = MaskedDiffusion.tiny().fit(*samples(frame, schema), seed=0)
    made = model.generate(nothing(20), seed=1).payload.frame
    assert made["empty"].isna().all()
    assert set(made["same"]) == {4.2}


def test_zero_rows_asked_for_are_zero_rows(parity):
    assert list(parity.generate(nothing(0), seed=1).payload.frame) == list(BITS.names)
