"""What is specific to SDV's copula: conditions in closed form, coded states, what is saved."""

from __future__ import annotations

import sys
from functools import cache

import numpy as np
import pandas as pd
import pytest

from casemix.core import registry
from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples
from casemix.errors import ArtifactError, ConditionError, FitError, PluginError
from casemix.modalities.tabular.data import Table
from casemix.modalities.tabular.generators.gaussian_copula import (
    GaussianCopula,
    conditional,
    draw,
)
from casemix.modalities.tabular.sdv_tables.coded import CodedColumn
from casemix.modalities.tabular.toy import SCHEMA, toy

pytest.importorskip("sdv")


@cache
def fitted() -> GaussianCopula:
    """Return a copula of 300 toy records, given the toy's conditions and all its own columns."""
    data, given = toy(300, seed=0)
    return GaussianCopula().fit(data, given.join(own(data), SCHEMA), seed=0)


def own(data: Samples) -> pd.DataFrame:
    return data.payload.frame.set_axis(data.index.index, axis=0)


@cache
def made() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return fresh real rows with their conditions, and made rows for the same conditions."""
    data, given = toy(300, seed=1)
    frame = fitted().generate(given, seed=2).payload.frame
    side = given.values.reset_index(drop=True)
    return data.payload.frame.join(side), frame.join(side)


def test_a_numeric_condition_moves_the_columns():
    for rows in made():
        # Top coding of the marker's five largest subjects costs the fitted family a little.
        assert rows["severity"].corr(rows["marker"], method="spearman") > 0.8


def test_a_categorical_condition_moves_the_columns():
    _, given = toy(2000, seed=1)
    ward = fitted().generate(given, seed=2).payload.frame["ward"]
    group = given.values["group"].reset_index(drop=True)
    cardiology = (ward == "cardiology").groupby(group).mean()
    # Real shares are about 0.8 and 0. A correlation of levels coded in an interval, as SDV codes
    # them, keeps only a part of that; without any link the difference would be 0.00 +- 0.02.
    assert cardiology["a"] > cardiology["b"] + 0.1


def test_dependence_between_columns_is_kept():
    real, synthetic = (rows[["marker", "clearance"]].corr("spearman").iloc[0, 1] for rows in made())
    assert real < -0.9
    assert synthetic < -0.7  # weaker: missing numbers are filled in at random for SDV


def test_missingness_keeps_its_share_and_its_cause():
    for rows in made():
        missing = rows["clearance"].isna()
        assert 0.07 < missing.mean() < 0.24
        assert missing[rows["severity"] < 0.5].mean() > missing[rows["severity"] > 0.5].mean()


def test_levels_resolution_and_ranges_are_those_recorded():
    _, synthetic = made()
    assert set(synthetic["ward"]) == set(SCHEMA["ward"].levels)
    assert (synthetic["marker"] % 1 == 0).all()
    assert synthetic["marker"].between(0, 1000).all()
    clearance = synthetic["clearance"].dropna()
    assert np.allclose(clearance, clearance.round(1), atol=1e-9)


@pytest.mark.parametrize("known", [["marker", "stage", "ward"], ["clearance"], ["treated"]])
def test_cells_given_for_a_column_come_out_exactly(known):
    data, _ = toy(300, seed=1)
    given = Conditions.of(own(data)[known], SCHEMA.pick(known))
    frame = fitted().generate(given, seed=2).payload.frame
    asked = given.values.reset_index(drop=True)
    for name in known:
        there = asked[name].notna()
        assert (frame[name] == asked[name])[there].all()


def test_cells_given_for_a_column_move_the_others():
    data, _ = toy(300, seed=1)
    given = Conditions.of(own(data)[["marker"]], SCHEMA.pick(["marker"]))
    frame = fitted().generate(given, seed=2).payload.frame
    order = {"I": 0, "II": 1, "III": 2}
    assert frame["stage"].map(order).corr(frame["marker"], method="spearman") > 0.5


def test_all_columns_given_are_returned_as_they_are():
    data, given = toy(300, seed=0)
    complete = np.flatnonzero(data.payload.frame["clearance"].notna())
    asked = given.join(own(data), SCHEMA).take(complete)
    frame = fitted().generate(asked, seed=2).payload.frame
    pd.testing.assert_frame_equal(frame, data.payload.take(complete).frame)


def test_numbers_beyond_the_training_range_and_unseen_levels_can_be_asked_for():
    data, given = toy(60, seed=0)
    schema = Schema((Field("site", Kind.CATEGORICAL, levels=("north", "south", "new")),))
    site = pd.DataFrame({"site": ["north", "south"] * 30}, index=pd.Index(given.sample_ids))
    copula = GaussianCopula.tiny().fit(
        data, given.join(site, schema).join(own(data), SCHEMA), seed=0
    )
    far = site.assign(site="new", clearance=9000.0)
    asked = Conditions.of(far, Schema((*schema, SCHEMA["clearance"])))
    frame = copula.generate(asked, seed=1).payload.frame
    assert (frame["clearance"] == 9000.0).all()
    assert frame["marker"].median() < 0.6 * data.payload.frame["marker"].median()


def test_columns_that_repeat_each_other_or_do_not_vary_can_be_learnt():
    data, given = toy(80, seed=0)
    more = (
        Field("marker_again", Kind.NUMERIC),
        Field("fixed", Kind.NUMERIC),
        Field("empty", Kind.NUMERIC),
        Field("one", Kind.CATEGORICAL, levels=("x", "y")),
    )
    frame = data.payload.frame.assign(
        marker_again=lambda f: 2 * f["marker"], fixed=4.5, empty=np.nan, one="y"
    )
    wide = Samples("tabular", data.index, Table(frame, Schema((*SCHEMA, *more))))
    both = Schema((*SCHEMA.pick(["marker"]), more[0]))
    itself = frame[list(both.names)].set_axis(data.index.index, axis=0)
    copula = GaussianCopula.tiny().fit(wide, given.join(itself, both), seed=0)
    synthetic = copula.generate(given.join(itself, both), seed=1).payload.frame
    assert (synthetic["fixed"] == 4.5).all()
    assert (synthetic["one"] == "y").all()
    assert synthetic["empty"].isna().all()
    assert synthetic["clearance"].dropna().between(-100, 300).all()


def test_lists_of_codes_are_learnt_as_one_column_per_code():
    data, given = toy(300, seed=0)
    drugs = [["C07"] if w == "cardiology" else ["C09", "N02"] for w in data.payload.frame["ward"]]
    field = Field("drugs", Kind.CODES, code_system="ATC")
    table = Table(data.payload.frame.assign(drugs=drugs), Schema((*SCHEMA, field)))
    copula = GaussianCopula.tiny().fit(Samples("tabular", data.index, table), given, seed=0)
    made = copula.generate(given, seed=1).payload.frame
    assert set(made["drugs"].explode().dropna()) == {"C07", "C09", "N02"}
    beta_blocker = made["drugs"].map(lambda codes: "C07" in codes)
    assert beta_blocker[made["ward"] == "cardiology"].mean() > beta_blocker.mean() + 0.05


def test_what_fewer_than_five_subjects_have_comes_out_only_where_it_is_asked_for():
    data, given = toy(60, seed=0)
    field = Field("site", Kind.CATEGORICAL, levels=("north", "south", "mine"))
    frame = data.payload.frame.assign(site=["mine"] * 4 + ["north", "south"] * 28)
    wide = Samples("tabular", data.index, Table(frame, Schema((*SCHEMA, field))))
    itself = frame[["site"]].set_axis(data.index.index, axis=0)
    both = given.join(itself, Schema((field,)))
    copula = GaussianCopula.tiny().fit(wide, both, seed=0)
    assert set(copula.generate(given, seed=1).payload.frame["site"]) == {"north", "south"}
    asked = given.join(itself.assign(site="mine"), Schema((field,)))
    assert (copula.generate(asked, seed=1).payload.frame["site"] == "mine").all()


def test_a_table_without_variation_cannot_be_learnt():
    data, given = toy(20, seed=0)
    schema = Schema((Field("fixed", Kind.NUMERIC),))
    table = Table(pd.DataFrame({"fixed": [1.0] * 20}), schema)
    with pytest.raises(FitError, match="No column varies"):
        GaussianCopula.tiny().fit(Samples("tabular", data.index, table), given.pick([]), seed=0)


def test_a_condition_that_contradicts_its_column_is_refused():
    data, given = toy(20, seed=0)
    other = Schema((Field("marker", Kind.NUMERIC, "g/L"),))
    marker = own(data)[["marker"]]
    with pytest.raises(ConditionError, match="marker"):
        GaussianCopula.tiny().fit(data, given.join(marker, other), seed=0)


def test_the_conditional_distribution_is_that_of_the_normal():
    correlation = np.array([[1.0, 0.6, 0.3], [0.6, 1.0, 0.2], [0.3, 0.2, 1.0]])
    slopes, root = conditional(correlation, np.array([True, False, False]))
    expected = np.linalg.solve(correlation[1:, 1:], correlation[1:, 0])
    assert np.allclose(slopes[0], expected)
    assert np.allclose(root @ root.T, 1.0 - correlation[0, 1:] @ expected)


def test_drawing_unknown_scores_restores_the_correlation():
    correlation = np.array([[1.0, 0.7], [0.7, 1.0]])
    rng = np.random.default_rng(0)
    scores = np.full((4000, 2), np.nan)
    scores[:2000, 0] = rng.standard_normal(2000)  # two patterns of known cells
    drawn = draw(correlation, scores, rng.standard_normal((4000, 2)))
    assert np.array_equal(drawn[:2000, 0], scores[:2000, 0])
    for half in (drawn[:2000], drawn[2000:]):
        assert abs(np.corrcoef(half.T)[0, 1] - 0.7) < 0.04


@pytest.mark.parametrize("field", [SCHEMA["stage"], SCHEMA["clearance"]])
def test_coded_cells_come_back(field):
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 3, 50).astype(float)
    cells[::7] = np.nan
    column = CodedColumn.fit(field, cells)
    coded = column.encode(cells, rng.uniform(size=50), missing_is_a_state=True)
    if column.number:
        coded[column.number] = np.nan_to_num(coded[column.number])
    assert np.array_equal(column.decode(coded, 50), cells, equal_nan=True)
    assert CodedColumn.from_json(column.to_json()) == column


def test_a_saved_model_is_marked_and_needs_trust(tmp_path):
    fitted().save(tmp_path / "model")
    with pytest.raises(ArtifactError, match="trust=True"):
        GaussianCopula.load(tmp_path / "model")
    assert GaussianCopula.load(tmp_path / "model", trust=True).config == fitted().config


def test_an_unknown_distribution_is_refused_with_the_known_ones():
    with pytest.raises(PluginError, match="truncnorm"):
        registry.config(GaussianCopula, {"default_distribution": "normal"})


def test_without_sdv_the_error_names_the_extra_and_the_licence(monkeypatch):
    monkeypatch.setitem(sys.modules, "sdv.single_table", None)
    data, given = toy(20, seed=0)
    with pytest.raises(PluginError, match=r"casemix\[sdv\].*BUSL-1.1"):
        GaussianCopula.tiny().fit(data, given, seed=0)
