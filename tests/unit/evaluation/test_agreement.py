from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.evaluation.agreement import learn_lines, learn_shown


def patients(n=120, seed=0):
    """Two views that state one ejection fraction, each with noise and findings of its own."""
    rng = np.random.default_rng(seed)
    ids = pd.Index([f"p{i}" for i in range(n)])
    ef = rng.uniform(20, 70, n)
    image = pd.DataFrame({"image.ef": ef, "image.noise": rng.normal(size=n)}, ids)
    note = pd.DataFrame({"note.lvef": ef.round(), "note.words": rng.normal(60, 9, n)}, ids)
    return {"image": image, "note": note}


def test_findings_that_agree_are_found_and_no_others():
    (line,) = learn_lines(patients())
    assert (line.a, line.b) == (("image", "image.ef"), ("note", "note.lvef"))
    assert line.slope == pytest.approx(1, abs=0.02)
    assert 0.4 < line.tolerance < 1.0  # of 0.5, by rounding


def test_new_patients_hold_and_exchanged_notes_do_not():
    (line,) = learn_lines(patients())
    fresh = patients(seed=1)
    assert line.broken(fresh).mean() == 0
    exchanged = {**fresh, "note": fresh["note"].set_axis(np.roll(fresh["note"].index, 7))}
    assert line.broken(exchanged).mean() > 0.9


def test_patients_without_a_finding_are_not_counted():
    (line,) = learn_lines(patients())
    fresh = patients(seed=1)
    fresh["note"].iloc[:100, 0] = np.nan
    assert len(line.broken(fresh)) == 20


def test_units_may_differ():
    views = patients()
    views["note"]["note.lvef"] /= 100
    (line,) = learn_lines(views)
    assert line.slope == pytest.approx(0.01, rel=0.02)


def test_too_few_patients_teach_nothing():
    assert learn_lines(patients(30)) == []


def shown_sex(n=200, seed=0, noise=0.2):
    rng = np.random.default_rng(seed)
    ids = pd.Index([f"p{i}" for i in range(n)])
    sex = rng.choice(["F", "M"], n)
    features = pd.DataFrame(rng.normal(size=(n, 6)), ids)
    features[0] = np.where(sex == "F", -1.0, 1.0) + noise * features[0]
    context = pd.DataFrame({"sex": sex, "smoker": rng.choice(["no", "yes"], n)}, ids)
    return features, context


def test_a_level_that_a_view_shows_is_learnt_and_checked():
    features, context = shown_sex()
    (shown,) = learn_shown({"image": features}, context, ["sex", "smoker"], seed=0)
    assert (shown.view, shown.field) == ("image", "sex")
    fresh, recorded = shown_sex(seed=1)
    assert shown.broken(fresh, recorded["sex"]).mean() < 0.02
    other = recorded["sex"].map({"F": "M", "M": "F"})
    assert shown.broken(fresh, other).mean() > 0.95


def test_a_level_that_is_shown_weakly_is_no_rule():
    features, context = shown_sex(noise=2.0)
    assert learn_shown({"image": features}, context, ["sex"], seed=0) == []
