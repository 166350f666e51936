import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Field, Kind, Schema
from casemix.core.training import TrainConfig
from casemix.errors import FitError
from casemix.modalities.tabular.generators.nade import Config, Nade, _part
from casemix.modalities.tabular.toy import SCHEMA, toy

from .conftest import as_conditions, nothing, samples, share, spearman

CONFIG = Config(
    hidden=32,
    inner=24,
    epochs=40,
    networks=2,
    few=0,
    train=TrainConfig(steps=500, batch_size=64, learning_rate=5e-3, ema_decay=0.98),
)


@pytest.fixture(scope="module")
def nade(train):
    return Nade(CONFIG).fit(train, as_conditions(train.payload.frame, SCHEMA), seed=0)


@pytest.fixture(scope="module")
def made(nade):
    return nade.generate(nothing(600), seed=1).payload.frame


def test_dependence_and_gaps_are_kept(train, made):
    real = train.payload.frame
    assert spearman(made, "marker", "clearance") < -0.8
    for stage in ("I", "III"):
        lacking = [share(f[f["stage"] == stage]["clearance"].isna()) for f in (real, made)]
        assert lacking[1] == pytest.approx(lacking[0], abs=0.08)


@pytest.mark.parametrize("columns", list(itertools.combinations(SCHEMA.names, 3)))
def test_any_three_columns_can_be_fixed(nade, columns):
    fresh, _ = toy(40, seed=5)
    asked = as_conditions(fresh.payload.frame, SCHEMA, "new-").pick(columns)
    found = nade.generate(asked, seed=1).payload.frame
    for name in columns:
        known = asked.rows[name].notna().to_numpy()
        assert found[name][known].tolist() == asked.rows[name][known].tolist()


def test_a_fixed_late_column_speaks_to_earlier_ones(nade):
    levels = [
        nade.generate(
            as_conditions(pd.DataFrame({"treated": [answer] * 300}), SCHEMA.pick(["treated"]), "n"),
            seed=1,
        ).payload.frame["marker"]
        for answer in ("yes", "no")
    ]
    assert np.log(levels[0]).mean() > np.log(levels[1]).mean() + 0.5


def test_no_level_of_few_subjects_and_no_single_number_comes_out():
    rng = np.random.default_rng(0)
    code = np.append(rng.choice(["a", "b"], size=396), ["z1", "z2", "z3", "z4"])
    frame = pd.DataFrame({"code": code.astype(object), "x": np.exp(rng.normal(size=400))})
    schema = Schema(
        (
            Field("code", Kind.CATEGORICAL, levels=tuple(sorted(set(code)))),
            Field("x", Kind.NUMERIC),
        )
    )
    data, given = samples(frame, schema)
    found = Nade(CONFIG).fit(data, given, seed=0).generate(nothing(2000), seed=1).payload.frame
    assert set(found["code"]) == {"a", "b"}
    assert not set(found["x"]) & set(frame["x"])


def test_a_part_has_whole_subjects_and_as_many_as_the_next():
    subjects = np.repeat([f"s{i}" for i in range(40)], 3)
    part = _part(subjects, 4, 0)
    assert sorted(np.bincount(part)) == [30, 30, 30, 30]
    assert all(len(set(own)) == 1 for own in part.reshape(40, 3))
    assert (part != _part(subjects, 4, 1)).any()


@pytest.mark.parametrize(
    ("few", "subjects", "parts"), [(2000, 2000, 2), (100, 2000, 1), (2000, 9, 1)]
)
def test_subjects_are_divided_where_rows_are_few_and_subjects_are_not(train, few, subjects, parts):
    frame = train.payload.frame
    given = as_conditions(frame, SCHEMA)
    owners = [f"s{i % subjects}" for i in range(len(frame))]
    given = replace(given, rows=given.rows.assign(subject_id=owners))
    short = replace(CONFIG, parts=2, few=few, train=TrainConfig(steps=5, batch_size=64))
    fitted = Nade(short).fit(train, given, seed=0)
    assert [len(ensemble.nets) for ensemble in fitted._ensembles] == [parts, parts]


def test_zero_rows_asked_for_are_zero_rows(nade):
    assert len(nade.generate(nothing(0), seed=1)) == 0


def test_it_must_be_fitted():
    with pytest.raises(FitError, match="not fitted"):
        Nade().generate(nothing(2), seed=0)
