"""Each metric of tables on toy cohorts: real is near best, corruption costs, order is nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind, Schema
from casemix.core.metric import EvalData, View
from casemix.core.samples import Samples
from casemix.errors import EvaluationError
from casemix.modalities.tabular.data import Table
from casemix.modalities.tabular.evaluators.standard import Standard
from casemix.modalities.tabular.generators.copy_training import CopyTraining
from casemix.modalities.tabular.generators.marginals import Marginals
from casemix.modalities.tabular.metrics import METRICS

CODES = [f"I{k:02d}" for k in range(20)]
SCHEMA = Schema(
    (
        Field("creatinine", Kind.NUMERIC, "mg/dL"),
        Field("egfr", Kind.NUMERIC, "mL/min"),
        Field("urea", Kind.NUMERIC, "mg/dL"),
        Field("stage", Kind.ORDINAL, levels=("1", "2", "3", "4", "5")),
        Field("ward", Kind.CATEGORICAL, levels=tuple(f"w{k:02d}" for k in range(12))),
        Field("diagnoses", Kind.CODES, code_system="ICD-10"),
    )
)
CONTEXT = Schema((Field("sex", Kind.BINARY, levels=("F", "M")),))
BY_NAME = {metric.name: metric for metric in METRICS}
SUBJECTS = 150


def records(subjects: int, seed: int, prefix: str) -> tuple[Samples, pd.DataFrame]:
    """Up to three visits of patients with kidney disease; codes return, and come in pairs."""
    rng = np.random.default_rng(seed)
    visits = rng.integers(1, 4, subjects)
    owner = np.repeat(np.arange(subjects), visits)
    n = len(owner)
    disease = rng.normal(size=subjects)[owner] + 0.2 * rng.normal(size=n)
    creatinine = np.exp(0.4 * disease + 0.05 * rng.normal(size=n)).round(2)
    egfr = (100 / creatinine + rng.normal(0, 3, n)).round(1)
    drawn = rng.random(n) < 0.75
    shares = 0.7 ** np.arange(12)
    chronic = [np.flatnonzero(rng.random(10) < 0.8 * 0.7 ** np.arange(10)) for _ in range(subjects)]
    frame = pd.DataFrame(
        {
            "creatinine": np.where(drawn, creatinine, np.nan),
            "egfr": np.where(drawn, egfr, np.nan),
            "urea": np.where(drawn, (30 * creatinine + rng.normal(0, 3, n)).round(), np.nan),
            "stage": np.array(["1", "2", "3", "4", "5"])[np.digitize(egfr, (150, 110, 80, 55))],
            "ward": rng.choice(SCHEMA["ward"].levels, n, p=shares / shares.sum()),
            "diagnoses": [[CODES[2 * k + s] for k in chronic[o] for s in (0, 1)] for o in owner],
        }
    )
    ids = pd.Index([f"{prefix}{o}.{k}" for k, o in enumerate(owner)], dtype=object)
    times = pd.Series(rng.exponential(500.0, n)).groupby(owner).cumsum().to_numpy()
    index = pd.DataFrame({"subject_id": [f"{prefix}{o}" for o in owner], "time": times}, index=ids)
    sex = rng.choice(["F", "M"], subjects)
    context = pd.DataFrame({"sex": sex[owner]}, index=ids)
    return Samples("tabular", index, Table(frame, SCHEMA)), context


@pytest.fixture(scope="module")
def evaluator():
    return Standard().fit(records(SUBJECTS, 0, "train-")[0], seed=0)


def view(evaluator, samples, context):
    return View(samples, evaluator.findings(samples), evaluator.embed(samples), context)


@pytest.fixture(scope="module")
def fresh(evaluator):
    """Fresh patients in the synthetic place."""
    train, holdout, made = (
        view(evaluator, *records(n, seed, prefix))
        for n, seed, prefix in (
            (2 * SUBJECTS, 0, "train-"),
            (SUBJECTS, 1, "held-"),
            (SUBJECTS, 2, "made-"),
        )
    )
    known = frozenset(f"train-{k}" for k in range(SUBJECTS))
    return EvalData(
        train, holdout, made, evaluator.findings_schema, CONTEXT, evaluator.embedder, embedded=known
    )


@pytest.fixture(scope="module")
def controls(evaluator, fresh):
    """What the two control generators make of the training records that no embedder knows."""
    samples, context = fresh.members.samples, fresh.members.context
    given = Conditions(samples.index, Schema())
    wanted = Conditions(samples.index.set_axis("c-" + samples.index.index, axis=0), Schema())
    made = {}
    for generator in (Marginals(), CopyTraining()):
        found = generator.fit(samples, given, seed=0).generate(wanted, seed=0)
        name = "marginals" if isinstance(generator, Marginals) else "copy_training"
        moved = context.set_axis(found.index.index, axis=0)
        made[name] = replace(fresh, synthetic=view(evaluator, found, moved))
    return made


def worse(metric, a, b):
    return a < b if metric.goal == "maximise" else a > b


def value(metric, data):
    """Bins of each table's own range do not see that numbers grow: judge the sounder variant."""
    score = metric.compute(data, 0)
    shared = "with_bins_of_the_real_range"
    return score.details[shared] if metric.name == "pair_trends" else score.value


def corrupted(evaluator, fresh, share):
    """Shuffle a share of each column's cells, and let codes and times drift."""
    rng = np.random.default_rng(3)
    samples = fresh.synthetic.samples
    frame = samples.payload.frame.copy()
    for name in frame:
        rows = rng.permutation(len(frame))[: int(share * len(frame))]
        cells = frame[name].to_numpy(copy=True)
        cells[rows] = cells[rng.permutation(rows)]
        frame[name] = cells
    numbers = ["creatinine", "egfr", "urea"]
    frame[numbers] = frame[numbers] * (1 + share)
    frame["ward"] = frame["ward"].where(rng.random(len(frame)) >= share, "w00")
    frame["diagnoses"] = [
        [code if rng.random() >= share else CODES[rng.integers(20)] for code in codes]
        + ["I19"] * round(10 * share)
        for codes in frame["diagnoses"]
    ]
    first = samples.index.groupby("subject_id")["time"].transform("min")
    keep = (rng.random(len(frame)) >= share) | (samples.index["time"] == first)
    index = samples.index.assign(time=samples.index["time"] * (1 + 4 * share))
    moved = Samples("tabular", index, Table(frame, SCHEMA)).take(np.flatnonzero(keep))
    made = view(evaluator, moved, fresh.synthetic.context[keep.to_numpy()])
    return replace(fresh, synthetic=made)


@pytest.mark.parametrize("name", [m.name for m in METRICS if m.family != "privacy"])
def test_real_is_near_best_and_every_corruption_costs(evaluator, fresh, name):
    metric = BY_NAME[name]
    arms = [fresh, *(corrupted(evaluator, fresh, share) for share in (0.15, 0.35, 0.7))]
    values = [value(metric, arm) for arm in arms]
    assert values == sorted(values, reverse=metric.goal == "maximise")
    assert worse(metric, values[-1], values[0])
    own = value(metric, replace(fresh, synthetic=fresh.holdout))
    assert not worse(metric, own, values[0])


@pytest.mark.parametrize("name", [m.name for m in METRICS if m.control])
def test_it_fails_its_control(fresh, controls, name):
    metric = BY_NAME[name]
    real, control = (metric.compute(arm, 0) for arm in (fresh, controls[metric.control]))
    assert worse(metric, control.value, real.value)
    low, high = real.interval
    assert control.value < low if metric.goal == "maximise" else control.value > high


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_row_order_does_not_matter_and_n_is_named(fresh, name):
    order = np.random.default_rng(0).permutation(len(fresh.synthetic))
    back = np.random.default_rng(1).permutation(len(fresh.holdout))
    moved = replace(
        fresh, synthetic=fresh.synthetic.take(order), holdout=fresh.holdout.take(back), judges={}
    )
    there, again = (BY_NAME[name].compute(arm, 0) for arm in (fresh, moved))
    assert there.value == pytest.approx(again.value)
    assert there.interval == pytest.approx(again.interval)
    assert there.interval[0] <= there.value <= there.interval[1]
    assert there.n == SUBJECTS
    assert there.note
    assert json.loads(json.dumps(there.to_json()))["n"] == SUBJECTS


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_one_subject_is_too_few(fresh, name):
    one = fresh.holdout.take(np.arange(1))
    alone = replace(fresh, train=one, holdout=one, synthetic=one, embedded=frozenset(), judges={})
    with pytest.raises(EvaluationError, match="at least"):
        BY_NAME[name].measure(alone, 0)


def test_the_worst_rule_is_named_and_context_takes_part(fresh):
    pregnant = fresh.train.context["sex"].eq("F").to_numpy()
    parts = {}
    for name, part in (("train", fresh.train), ("synthetic", fresh.synthetic)):
        ward = part.samples.payload.frame["ward"].to_numpy(copy=True)
        ward[:] = np.where(part.context["sex"].eq("F"), "w01", "w00")
        if name == "synthetic":
            ward[:] = "w01"
        findings = part.findings.assign(**{"tabular.ward": ward})
        parts[name] = replace(part, findings=findings)
    assert pregnant.any()
    found = BY_NAME["impossible_rows"].compute(replace(fresh, **parts, judges={}), 0)
    words = [rule["rule"] for rule in found.details["worst"]]
    assert "sex = M never meets tabular.ward = w01" in words
    assert found.value > 0.4


def test_no_broken_row_does_not_mean_none_ever(fresh):
    same = replace(fresh, synthetic=fresh.known)
    found = BY_NAME["impossible_rows"].compute(same, 0)
    assert found.value == 0.0
    assert found.interval == (0.0, 3 / found.n)


def test_a_table_without_codes_and_with_one_visit_has_no_events(fresh):
    first = ~fresh.holdout.samples.index["subject_id"].duplicated().to_numpy()
    single = fresh.holdout.take(np.flatnonzero(first))
    table = single.samples.payload
    plain = Table(table.frame.drop(columns="diagnoses"), Schema(SCHEMA.fields[:-1]))
    bare = replace(single, samples=replace(single.samples, payload=plain))
    data = replace(fresh, holdout=bare, synthetic=bare)
    for name in ("code_prevalence_r2", "visit_gap_distance"):
        found = BY_NAME[name].measure(data, 0)
        assert found.value is None
        assert "at several times" in found.note


def test_levels_stand_for_codes_where_subjects_come_again(fresh):
    table = fresh.holdout.samples.payload
    plain = Table(table.frame.drop(columns="diagnoses"), Schema(SCHEMA.fields[:-1]))
    bare = replace(fresh.holdout, samples=replace(fresh.holdout.samples, payload=plain))
    found = BY_NAME["code_bigram_r2"].compute(replace(fresh, holdout=bare, synthetic=bare), 0)
    assert found.value == pytest.approx(1.0)
    assert found.details["entries"] > 20


def test_synthetic_subjects_who_never_come_again_are_far_off(fresh):
    first = ~fresh.synthetic.samples.index["subject_id"].duplicated().to_numpy()
    once = replace(fresh, synthetic=fresh.synthetic.take(np.flatnonzero(first)))
    assert BY_NAME["visit_count_distance"].compute(once, 0).value > 0.5
