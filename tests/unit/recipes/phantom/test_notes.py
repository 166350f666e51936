"""Notes: what is written is what the records hold."""

from __future__ import annotations

import re

import pytest

from casemix.recipes.phantom.labs import measure_labs
from casemix.recipes.phantom.notes import (
    GROUP_TERMS,
    SECTIONS,
    NoteSource,
    patient_facts,
    write_notes,
)
from casemix.recipes.phantom.vitals import CHANNELS, record_vitals

NUMBERS = {
    "age": r"(\d+)-year-old",
    "lv_ef": r"LVEF (\d+)%",
    "lv_edv": r"LVEDV (\d+) mL",
    "rv_ef": r"RVEF (\d+)%",
    "nt_probnp": r"NT-proBNP (\d+) pg/mL",
    "creatinine": r"Creatinine (\d+\.\d\d) mg/dL",
    "systolic_bp": r"BP (\d+)/\d+",
    "diastolic_bp": r"BP \d+/(\d+)",
    "heart_rate": r"HR (\d+) bpm",
}


@pytest.fixture(scope="module")
def source(look):
    view = look(300, "note")
    labs = measure_labs(view.context, view.state, view.draws)
    vitals = record_vitals(view.context, view.state, view.draws)
    return NoteSource(view.subjects, view.state, labs, vitals)


@pytest.fixture(scope="module")
def written(source, look):
    return write_notes(source, look(300, "note").draws)


def test_every_number_in_a_note_is_the_records_number(written, source):
    notes, stated = written
    facts = patient_facts(source)
    for name, pattern in NUMBERS.items():
        found = [re.findall(pattern, note) for note in notes]
        for numbers, truth, said in zip(found, facts[name], stated[name], strict=True):
            assert [float(x) for x in numbers] == ([] if said is None else [float(truth)])


def test_facts_are_the_records(source):
    facts = patient_facts(source)
    first = source.vitals.values[:, 0, CHANNELS.index("heart_rate")]
    assert facts["heart_rate"].tolist() == first.tolist()
    known = source.labs["creatinine"].notna()
    assert facts.loc[known, "creatinine"].tolist() == source.labs.loc[known, "creatinine"].tolist()
    assert facts.loc[~known, "creatinine"].isna().all()
    assert (facts["lv_ef"].astype(float) - source.state.lv_ef).abs().max() <= 0.5


def test_a_group_is_named_by_its_own_terms_only(written, source):
    for note, group in zip(written[0], source.subjects["group"], strict=True):
        for other, terms in GROUP_TERMS.items():
            if other != group:
                assert not any(f"{term}." in note for term in terms)
    share = written[1]["group"].notna().mean()
    assert 0.9 < share < 1.0


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        ("hypertension", r"(History of|Known) HTN", r"No (history of )?HTN"),
        ("diabetes", r"(?<!No history of )(?<!No )(History of|Known) DM", r"No (history of )?DM"),
        ("smoker", r"Current smoker|Smokes daily", r"Non-smoker|Denies smoking"),
        ("beta_blocker", r"On beta blocker|Takes a beta", r"No beta blocker|Not on beta"),
        ("effusion", r"Small pericardial|effusion seen", r"No (pericardial )?effusion"),
    ],
)
def test_negations_agree_with_the_record(written, source, name, yes, no):
    truth = patient_facts(source)[name]
    for note, holds in zip(written[0], truth, strict=True):
        assert not (re.search(yes, note) and not holds)
        assert not (re.search(no, note) and holds)
    assert any(re.search(yes, note) for note in written[0])
    assert any(re.search(no, note) for note in written[0])


def test_sex_is_written_as_recorded(written, source):
    for note, sex in zip(written[0], source.subjects["sex"], strict=True):
        assert ("year-old woman" in note) == (sex == "F")


def test_notes_have_sections_in_order_and_a_readable_length(written):
    for note in written[0]:
        headings = re.findall(r"^([A-Z]+): ", note, flags=re.MULTILINE)
        assert headings == [s for s in SECTIONS if s in headings]
        assert len(headings) >= 5
        assert 60 <= len(note.split()) <= 160


def test_the_vocabulary_is_small_and_phrases_vary(written):
    words = {w for note in written[0] for w in note.split() if not re.search(r"\d", w)}
    assert 100 < len(words) < 300
    assert len(set(written[0])) == len(written[0])
