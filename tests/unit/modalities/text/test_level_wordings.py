"""Wordings of levels: which runs of words state one, and which only keep it company."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Field, Kind, Schema
from casemix.modalities.text.level_wordings import LevelWordings

SCHEMA = Schema((Field("dm", Kind.BINARY), Field("htn", Kind.BINARY)))


@pytest.fixture(scope="module")
def cohort():
    """Diabetes is rare, hypertension is not, and both are stated in two ways."""
    rng = np.random.default_rng(0)
    records = pd.DataFrame(
        {
            "dm": np.where(rng.random(400) < 0.1, "yes", "no"),
            "htn": np.where(rng.random(400) < 0.5, "yes", "no"),
        }
    )
    wording = {
        "yes": ("History of {}.", "Known {}."),
        "no": ("No history of {}.", "No {}."),
    }
    notes = [
        " ".join(
            wording[record[field]][int(rng.random() < 0.5)].format(field.upper())
            for field in ("dm", "htn")
        )
        for record in records.to_dict("records")
    ]
    return notes, records


@pytest.fixture(scope="module")
def wordings(cohort):
    return LevelWordings.fit(*cohort, SCHEMA)


def test_notes_are_read_without_a_mistake(wordings, cohort):
    for note, record in zip(cohort[0], cohort[1].to_dict("records"), strict=True):
        stated = {pair for sentence in note.split(". ") for pair in wordings.stated(sentence)}
        assert stated == set(record.items())


def test_a_run_that_owes_its_level_to_a_longer_one_is_left_out(cohort):
    notes, records = cohort
    has = np.array(["No history" in note for note in notes])
    assert (records["dm"][has] == "no").mean() > 0.95  # so the run alone would pass
    phrases = LevelWordings.fit(notes, records, SCHEMA).phrases
    assert ("no", "history") not in {p.words for p in phrases}


def test_an_opposite_in_a_longer_run_is_not_heard(wordings):
    assert wordings.stated("No history of HTN.") == {("htn", "no")}
    assert wordings.stated("History of HTN.") == {("htn", "yes")}


def test_a_few_mistakes_in_the_records_are_survived(cohort):
    notes, records = cohort
    noisy = records.copy()
    noisy.loc[:7, "htn"] = noisy.loc[:7, "htn"].map({"yes": "no", "no": "yes"})
    assert LevelWordings.fit(notes, noisy, SCHEMA).stated("Known HTN.") == {("htn", "yes")}


def test_random_records_teach_nothing(cohort):
    notes, records = cohort
    shuffled = records.sample(frac=1, random_state=0, ignore_index=True)
    assert LevelWordings.fit(notes, shuffled, SCHEMA).phrases == ()


def test_unrecorded_levels_do_not_count(cohort):
    notes, records = cohort
    assert LevelWordings.fit(notes, records.assign(dm=None, htn=None), SCHEMA).phrases == ()
