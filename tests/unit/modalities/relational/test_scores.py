"""What the metrics and findings of linked tables see."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core.metric import EvalData, View
from casemix.modalities.relational import scores
from casemix.modalities.relational.copied_runs import copied_run_excess
from casemix.modalities.relational.data import LinkedTables
from casemix.modalities.relational.evaluators.standard import Standard
from casemix.modalities.relational.findings import Findings
from casemix.modalities.relational.row_views import beside_sibling, own_columns
from casemix.modalities.relational.toy import CONDITIONS, FORMS, LABS, STAYS, toy

N = 60


@pytest.fixture(scope="module")
def evaluator():
    return Standard().fit(toy(N, seed=0)[0], seed=0)


def view(evaluator, samples, given):
    context = given.values
    return View(samples, evaluator.findings(samples), evaluator.embed(samples), context)


@pytest.fixture(scope="module")
def data(evaluator):
    train, holdout, fresh = (view(evaluator, *toy(N, seed=s)) for s in range(3))
    schema = evaluator.findings_schema
    return EvalData(train, holdout, fresh, schema, CONDITIONS, evaluator.embedder)


def altered(data, evaluator, **frames):
    samples = data.synthetic.samples
    payload = LinkedTables(FORMS, {**samples.payload.frames, **frames}, N)
    changed = type(samples)("relational", samples.index, payload)
    other = View(
        changed, evaluator.findings(changed), evaluator.embed(changed), data.synthetic.context
    )
    return EvalData(
        data.train, data.holdout, other, data.findings_schema, CONDITIONS, data.embedder
    )


def test_real_records_score_well(data):
    assert scores.broken_keys(data, 0).value == 0
    assert scores.broken_order(data, 0).value == 0
    assert scores.repeated_levels(data, 0).value == 0
    assert scores.children_per_parent(data, 0).value > 0.8
    assert scores.parent_child_dependence(data, 0).value > 0.9


def test_a_stay_that_ends_before_it_starts_is_counted(data, evaluator):
    stays = data.synthetic.samples.payload.frames["stays"]
    turned = stays.rename(columns={"admitted": "discharged", "discharged": "admitted"})
    bad = altered(data, evaluator, stays=turned)
    details = scores.broken_order(bad, 0).details["stays"]
    assert details["discharged before admitted"] == 1.0


def test_repeated_problems_are_counted(data, evaluator):
    problems = data.synthetic.samples.payload.frames["problems"].assign(code="asthma")
    share = scores.repeated_levels(altered(data, evaluator, problems=problems), 0).value
    assert share == pytest.approx(1 - problems["item"].nunique() / len(problems))


def test_dependence_on_the_parent_is_lost_with_shuffled_rows(data, evaluator):
    labs = data.synthetic.samples.payload.frames["labs"]
    order = np.random.default_rng(0).permutation(len(labs))
    shuffled = labs.assign(**{n: labs[n].to_numpy()[order] for n in ("test", "value")})
    bad = altered(data, evaluator, labs=shuffled)
    kept, lost = (scores.parent_child_dependence(d, 0).value for d in (data, bad))
    assert lost < kept - 0.02


def test_copies_of_members_are_found(data):
    def score(made):
        schema = data.findings_schema
        arms = EvalData(data.train, data.holdout, made, schema, CONDITIONS, data.embedder)
        return copied_run_excess(arms, 0).value

    assert score(data.train) > 0.9
    assert abs(score(data.synthetic)) < 0.1


def test_times_are_told_after_the_parent_and_the_sibling():
    frames = {
        "stays": pd.DataFrame([(0, 0, -1, "surgery", 10.0, 30.0)]),
        "labs": pd.DataFrame([(0, 0, 0, 12.0, "troponin", 1.0), (0, 1, 0, 17.0, "troponin", 2.0)]),
        "problems": pd.DataFrame([(0, 0, -1, "asthma")]),
    }
    named = {
        f.name: frames[f.name].set_axis(["item", "row", "parent", *f.schema.names], axis=1)
        for f in FORMS
    }
    tables = LinkedTables(FORMS, named, 1)
    assert own_columns(STAYS, tables)[["admitted", "discharged"]].to_numpy().tolist() == [[10, 20]]
    assert own_columns(LABS, tables)["taken"].tolist() == [2.0, 7.0]
    beside = beside_sibling(LABS, tables)
    assert beside[["child.taken", "before.value", "child.value"]].to_numpy().tolist() == [[5, 1, 2]]


def test_findings_count_average_and_name_levels():
    samples, _ = toy(12)
    tables = samples.payload
    found = Findings.fit(tables).of(tables)
    labs = tables.frames["labs"]
    mine = labs[labs["item"] == 3]
    troponin = mine.loc[mine["test"] == "troponin", "value"].mean()
    assert found.loc[3, "relational.labs.count"] == len(mine)
    assert found.loc[3, "relational.labs.value.mean.test=troponin"] == pytest.approx(
        troponin, nan_ok=True
    )
    most = tables.frames["stays"].query("item == 3")["ward"].mode()[0]
    assert found.loc[3, "relational.stays.ward.most"] == most
