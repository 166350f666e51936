"""The hierarchical generator keeps links, order and dependence, and follows conditions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from casemix.core.conditions import Conditions
from casemix.core.fields import Schema
from casemix.errors import FitError
from casemix.modalities.relational.data import LinkedTables
from casemix.modalities.relational.generators.hierarchical import Config, Hierarchical
from casemix.modalities.relational.generators.marginals import Marginals
from casemix.modalities.relational.ordering import child_counts
from casemix.modalities.relational.row_views import beside_parent
from casemix.modalities.relational.time_order import broken_times, resolutions
from casemix.modalities.relational.toy import CONDITIONS, LABS, PROBLEMS, STAYS, toy

N = 120
LEVELS = (*PROBLEMS.schema["code"].levels, "gout")


@pytest.fixture(scope="module")
def real():
    return toy(N, seed=0)


@pytest.fixture(scope="module")
def model(real):
    settings = Config(options={"trees": 4, "given_trees": 1})
    return Hierarchical(settings).fit(*real, seed=0)


@pytest.fixture(scope="module")
def made(model, real):
    return model.generate(real[1], seed=1).payload


def wrong(tables, clocks):
    return [r for kinds in broken_times(tables, clocks).values() for r in kinds.values()]


def test_no_row_breaks_the_order_of_times_while_marginals_do(made, real):
    clocks = resolutions(real[0].payload)
    control = Marginals().fit(*real, seed=0).generate(real[1], seed=1).payload
    assert len(wrong(made, clocks)) == 3
    assert not any(rows.any() for rows in wrong(made, clocks))
    assert any(rows.any() for rows in wrong(control, clocks))


def test_problems_do_not_repeat_within_a_subject(made):
    frame = made.frames["problems"]
    assert len(frame) > N / 2
    assert not frame.duplicated(["item", "code"]).any()


def test_numbers_of_children_are_those_of_the_data(made, real):
    for form in real[0].payload.forms:
        counts = [child_counts(form, t).mean() for t in (real[0].payload, made)]
        assert counts[1] == pytest.approx(counts[0], rel=0.25), form.name


def test_rows_depend_on_their_parent(made, real):
    shares = []
    for tables in (real[0].payload, made):
        beside = beside_parent(LABS, tables, real[1].values, CONDITIONS)
        troponin = (beside["child.test"] == "troponin").groupby(beside["parent.ward"]).mean()
        shares.append(troponin["cardiology"] - troponin["medicine"])
    assert shares[0] > 0.4
    assert shares[1] > 0.6 * shares[0]


def test_conditions_change_what_is_made(model):
    ids = pd.Index([f"new-{i}" for i in range(60)], dtype=object)

    def stay_hours(severity):
        asked = Conditions.of(pd.DataFrame({"severity": severity}, index=ids), CONDITIONS)
        frame = model.generate(asked, seed=2).payload.frames["stays"]
        return (frame["discharged"] - frame["admitted"]).mean()

    assert stay_hours(0.95) > stay_hours(0.05) + 15


def test_what_is_left_open_is_the_same_for_all_rows_of_a_subject(model):
    ids = pd.Index([f"open-{i}" for i in range(60)], dtype=object)
    asked = Conditions.of(pd.DataFrame(index=ids), CONDITIONS)
    stays = model.generate(asked, seed=3).payload.frames["stays"]
    several = stays[stays["ward"] != "surgery"].groupby("item")["ward"].agg(["nunique", "size"])
    several = several[several["size"] > 1]
    assert len(several) > 10
    assert (several["nunique"] == 1).mean() > 0.7


def test_a_table_of_few_rows_is_an_error(real):
    samples, given = real
    frames = {**samples.payload.frames}
    frames["problems"] = frames["problems"].iloc[:3]
    few = LinkedTables(samples.payload.forms, frames, N)
    with pytest.raises(FitError, match="problems"):
        Hierarchical.tiny().fit(type(samples)("relational", samples.index, few), given, seed=0)


def test_the_first_row_of_a_stay_starts_with_it_or_later(made):
    stays = made.frames[STAYS.name].set_index(["item", "row"])
    first = made.frames["labs"].groupby(["item", "parent"])["taken"].min()
    assert (first.to_numpy() >= stays.loc[first.index, "admitted"].to_numpy()).all()
    assert np.isfinite(first).all()


def test_a_level_that_four_subjects_have_does_not_come_out(real):
    samples, given = real
    form = replace(PROBLEMS, schema=Schema((replace(PROBLEMS.schema["code"], levels=LEVELS),)))
    forms = (*samples.payload.forms[:-1], form)
    frame = samples.payload.frames["problems"]
    four = frame["item"].isin(frame["item"].unique()[:4])
    frames = {**samples.payload.frames}
    frames["problems"] = frame.assign(code=frame["code"].mask(four, "gout"))
    frames["problems"] = frames["problems"].drop_duplicates(["item", "code"])
    rare = type(samples)("relational", samples.index, LinkedTables(forms, frames, N))
    made = Hierarchical.tiny().fit(rare, given, seed=0).generate(given, seed=1).payload
    assert len(made.frames["problems"]) > N / 2
    assert not (made.frames["problems"]["code"] == "gout").any()
