"""What is specific to SDV's networks: columns, conditions from a pool, what is kept from them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples
from casemix.errors import FitError, PluginError
from casemix.modalities.tabular.data import Table
from casemix.modalities.tabular.generators.copula_gan import Config as CopulaGanConfig
from casemix.modalities.tabular.generators.ctgan import Config as CtganConfig
from casemix.modalities.tabular.generators.ctgan import Ctgan
from casemix.modalities.tabular.generators.tvae import Config, Tvae
from casemix.modalities.tabular.sdv_tables.mixed import MixedColumn
from casemix.modalities.tabular.sdv_tables.most_fitting import most_fitting
from casemix.modalities.tabular.toy import CONDITIONS, SCHEMA, toy

pytest.importorskip("sdv")
WARD = Field("ward", Kind.CATEGORICAL, levels=("a", "b", "c"))
STAGE = Field("stage", Kind.ORDINAL, levels=("I", "II", "III"))
DOSE = Field("dose", Kind.NUMERIC, "mg")


@cache
def fitted() -> Tvae:
    """Return an autoencoder of 400 toy records, given the toy's conditions and all its columns."""
    data, given = unmeasured(400, seed=0)
    model = Tvae(Config(epochs=60, batch_size=50, candidates=2000, gpu=False))
    return model.fit(data, given.join(own(data), SCHEMA), seed=0)


def unmeasured(n: int, *, seed: int) -> tuple[Samples, Conditions]:
    """Return toy records whose clearance is missing in all of group b."""
    data, given = toy(n, seed=seed)
    frame = data.payload.frame
    clearance = frame["clearance"].mask((given.values["group"] == "b").to_numpy())
    return Samples("tabular", data.index, Table(frame.assign(clearance=clearance), SCHEMA)), given


def own(data: Samples) -> pd.DataFrame:
    return data.payload.frame.set_axis(data.index.index, axis=0)


def made(schema: Schema, names: list[str], seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what is asked for of fresh toy records, and rows made for it."""
    data, given = unmeasured(300, seed=seed)
    asked = given.join(own(data), SCHEMA).pick(names)
    return asked.values.reset_index(drop=True), fitted().generate(asked, seed=2).payload.frame


def test_conditions_of_all_kinds_move_the_columns():
    asked, rows = made(CONDITIONS, ["severity", "group"])
    assert asked["severity"].corr(rows["marker"], method="spearman") > 0.6
    cardiology = (rows["ward"] == "cardiology").groupby(asked["group"]).mean()
    assert cardiology["a"] > cardiology["b"] + 0.3  # 0.8 and 0 in real records
    missing = rows["clearance"].isna().groupby(asked["group"]).mean()
    assert missing["b"] > missing["a"] + 0.3  # 1 and 0.15


@pytest.mark.parametrize("names", [["marker", "stage", "ward"], ["clearance"], ["treated"]])
def test_cells_given_for_a_column_come_out_exactly(names):
    asked, rows = made(SCHEMA, names)
    for name in names:
        there = asked[name].notna()
        assert (rows[name] == asked[name])[there].all()


def test_levels_resolution_and_ranges_are_those_recorded():
    _, rows = made(SCHEMA, [])
    assert set(rows["ward"]) <= set(SCHEMA["ward"].levels)
    assert rows["ward"].nunique() > 1
    assert (rows["marker"] % 1 == 0).all()
    assert rows["marker"].between(0, 1000).all()


def test_rows_of_another_call_are_other_rows():
    ids = [pd.Index([f"{shard}-{i}" for i in range(40)], dtype=object) for shard in "ab"]
    first, second = (
        fitted().generate(Conditions.of(pd.DataFrame(index=i), Schema()), seed=1) for i in ids
    )
    assert not first.payload.frame.equals(second.payload.frame)


def test_what_fewer_than_five_subjects_have_comes_out_only_where_it_is_asked_for():
    data, given = toy(60, seed=0)
    field = Field("site", Kind.CATEGORICAL, levels=("north", "south", "mine"))
    site = ["mine"] * 4 + ["north", "south"] * 28
    frame = data.payload.frame.assign(site=site)
    frame.loc[0, "marker"] = 999.0
    table = Table(frame, Schema((*SCHEMA, field)))
    wide = Samples("tabular", data.index, table)
    itself = frame[["site"]].set_axis(data.index.index, axis=0)
    model = Tvae(Config(epochs=5, batch_size=20, candidates=200, gpu=False)).fit(
        wide, given.join(itself, Schema((field,))), seed=0
    )
    free = model.generate(given, seed=1).payload.frame
    assert set(free["site"]) <= {"north", "south"}
    assert free["marker"].max() < 999
    asked = given.join(itself.assign(site="mine"), Schema((field,)))
    assert (model.generate(asked, seed=1).payload.frame["site"] == "mine").all()


def test_a_table_without_variation_cannot_be_learnt():
    data, given = toy(20, seed=0)
    table = Table(pd.DataFrame({"fixed": [1.0] * 20}), Schema((Field("fixed", Kind.NUMERIC),)))
    with pytest.raises(FitError, match="No column varies"):
        Ctgan.tiny().fit(Samples("tabular", data.index, table), given.pick([]), seed=0)


def test_an_unknown_distribution_is_refused_with_the_known_ones():
    with pytest.raises(PluginError, match="truncnorm"):
        CopulaGanConfig(default_distribution="normal")


@pytest.mark.parametrize(("changes", "allowed"), [({"epochs": 0}, "1"), ({"batch_size": 64}, "10")])
def test_settings_that_sdv_would_stumble_over_are_refused(changes, allowed):
    with pytest.raises(PluginError, match=f"Allowed: .*{allowed}"):
        CtganConfig(**changes)


@pytest.mark.parametrize("field", [STAGE, DOSE])
def test_cells_become_numbers_and_levels_and_come_back(field):
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 3, 50).astype(float)
    cells[::7] = np.nan
    column = MixedColumn.fit(field, cells)
    coded = column.encode(cells, rng)
    assert not pd.DataFrame(coded).isna().any().any()
    assert np.array_equal(column.decode(coded, 50), cells, equal_nan=True)
    assert MixedColumn.from_json(column.to_json()) == column


@pytest.mark.parametrize(("field", "cell"), [(WARD, 2.0), (DOSE, 4.5), (DOSE, np.nan)])
def test_a_column_that_does_not_vary_is_left_out_and_restored(field, cell):
    column = MixedColumn.fit(field, np.full(9, cell))
    assert column.encode(np.full(9, cell), np.random.default_rng(0)) == {}
    assert np.array_equal(column.decode({}, 3), np.full(3, cell), equal_nan=True)


def test_the_row_that_meets_the_most_known_cells_is_taken():
    fields = [WARD, STAGE, DOSE]
    pool = np.array([[0, 0, 1], [0, 2, 9], [1, 1, 5], [2, 2, np.nan]], dtype=float)
    asked = np.array(
        [[0, 2, np.nan], [np.nan, 1, np.nan], [np.nan, np.nan, 8], [2, np.nan, 1], [1, 0, 5]]
    )
    chosen = most_fitting(asked, pool, fields, np.full(5, 0.5))
    # The fourth asks for ward c and dose 1: a wrong ward and a missing dose are equally bad.
    assert chosen[[0, 1, 2, 4]].tolist() == [1, 2, 1, 2]
    assert chosen[3] in (0, 3)


def test_rows_that_fit_equally_well_are_taken_equally_often():
    pool = np.zeros((4, 1))
    chance = (np.arange(1000) + 0.5) / 1000
    chosen = most_fitting(np.zeros((1000, 1)), pool, [WARD], chance)
    assert np.bincount(chosen, minlength=4).tolist() == [250, 250, 250, 250]
