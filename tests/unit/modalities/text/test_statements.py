from __future__ import annotations

import pandas as pd
import pytest

from casemix.evaluation.agreement import learn_fixed
from casemix.modalities.text.statements import NoteStatements, asserted, dates_in_order, sided

NOTES = [
    f"Pneumonia of the {side} lung. {'No effusion' if i % 3 else 'Large effusion'}. "
    f"Dilated left ventricle, LVEF {30 + i} %. Admitted 2024-01-0{1 + i % 4}, left 2024-02-03."
    for i in range(60)
    for side in [("left", "right")[i % 2]]
]


@pytest.fixture(scope="module")
def stated() -> pd.DataFrame:
    return NoteStatements.fit(NOTES).of(NOTES)


def test_findings_count_as_asserted_only_where_they_are_not_denied(stated):
    assert list(stated["asserts effusion"][:4]) == ["yes", "no", "no", "yes"]
    assert "asserts pneumonia" not in stated  # in every note: nothing to learn


def test_sides_and_units_are_read_by_their_word(stated):
    assert list(stated["side of lung"][:2]) == ["left", "right"]
    assert set(stated["side of ventricle"]) == {"left"}
    assert set(stated["unit of lvef"]) == {"%"}


def test_what_never_varies_in_real_notes_is_broken_by_another_unit_side_or_order(stated):
    rules = {rule.statement: rule for rule in learn_fixed("text", stated)}
    assert {"side of ventricle", "unit of lvef", "dates in order"} <= set(rules)
    assert "side of lung" not in rules
    wrong = NoteStatements.fit(NOTES).of(
        ["Dilated right ventricle, LVEF 45 mmHg. Admitted 2024-03-01, left 2024-02-03."]
    )
    for name in ("side of ventricle", "unit of lvef", "dates in order"):
        assert rules[name].broken(wrong[name]).all()
        assert not rules[name].broken(stated[name]).any()


def test_a_negation_ends_with_its_sentence_or_turn():
    assert "cough" in asserted("No fever. Cough.")
    assert "cough" in asserted("No fever but cough.")
    assert not {"fever", "cough"} & asserted("Denies fever, cough.")


def test_days_that_do_not_exist_are_not_in_order():
    assert dates_in_order("From 31.02.2024 to 05.03.2024") == "no"
    assert dates_in_order("From 28.02.2024 to 05.03.2024") == "yes"
    assert dates_in_order("On 05.03.2024") is None


def test_what_is_learnt_comes_back_from_json(stated):
    learnt = NoteStatements.fit(NOTES)
    assert NoteStatements.from_json(learnt.to_json()) == learnt


def test_hostile_notes_do_no_harm():
    odd = ["", "<script>left left</script>", "No " * 1000, "\x00 99999-99-99 0000-00-00 0000-00-00"]
    assert len(NoteStatements.fit(odd).of(odd)) == 4
    assert sided("left") == {}
