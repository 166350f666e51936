"""Rules are learnt where the data keep them, and each broken one is counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.modalities.events.rules import Rules


def frame(*rows):
    return pd.DataFrame(rows, columns=["item", "hours", "code", "value"])


@pytest.fixture
def rules():
    stays = [
        (item, hours, code, value)
        for item in range(40)
        for hours, code, value in [
            (0.0, "INFUSION_START//A", np.nan),
            (1.0, "LAB", 2.0),
            (2.0, "INFUSION_END//A", 5.0),
            (3.0, "MEDS_DEATH", np.nan),
        ]
    ]
    return Rules.fit(frame(*stays))


@pytest.mark.parametrize(
    ("rows", "broken"),
    [
        (((0, 0.0, "MEDS_DEATH", np.nan), (0, 1.0, "LAB", 1.0)), "after_death"),
        (((0, 0.0, "INFUSION_END//A", 5.0),), "closed_unopened"),
        (((0, 0.0, "INFUSION_START//A", np.nan), (0, 1.0, "INFUSION_START//A", np.nan)),
         "opened_twice"),
        (((0, 0.0, "MEDS_DEATH", 1.0),), "value_unknown"),
        (((0, 0.0, "LAB", np.nan),), "value_missing"),
        (((0, 0.0, "LAB", 1.0), (0, 0.0, "LAB", 2.0)), "repeated"),
    ],
)  # fmt: skip
def test_each_broken_rule_is_counted_once(rules, rows, broken):
    found = rules.violations(frame(*rows))
    assert {rule for rule, count in found.items() if count} == {broken}
    assert found[broken] == 1


def test_one_subjects_stay_does_not_open_anothers(rules):
    rows = ((0, 0.0, "INFUSION_START//A", np.nan), (1, 1.0, "INFUSION_END//A", 5.0))
    assert rules.violations(frame(*rows))["closed_unopened"] == 1


def test_a_pairing_that_the_data_do_not_keep_is_no_rule():
    rows = [(i, 0.0, "SHIFT_END", np.nan) for i in range(10)]
    rows += [(i, 1.0, "SHIFT_START", np.nan) for i in range(10)]
    assert Rules.fit(frame(*sorted(rows))).closes == {}


def test_stays_are_paired_by_kind_and_infusions_by_name():
    rows = [
        (0, 0.0, "HOSPITAL_ADMISSION//URGENT", np.nan),
        (0, 1.0, "INFUSION_START//A", np.nan),
        (0, 2.0, "INFUSION_END//A", np.nan),
        (0, 3.0, "HOSPITAL_DISCHARGE//HOME", np.nan),
    ]
    rules = Rules.fit(frame(*rows))
    assert rules.closes == {
        "HOSPITAL_DISCHARGE//HOME": "HOSPITAL_*",
        "INFUSION_END//A": "INFUSION_*//A",
    }


def test_rules_survive_json(rules):
    assert Rules.from_json(rules.to_json()) == rules
