from __future__ import annotations

import pandas as pd
import pytest

from casemix.core.code_columns import CodeColumns
from casemix.core.conditions import Conditions
from casemix.core.encoding import ConditionEncoder
from casemix.core.fields import Field, Kind, Schema
from casemix.errors import ConditionError

SCHEMA = Schema((Field("age", Kind.NUMERIC, "a"), Field("diagnoses", Kind.CODES)))
FRAME = pd.DataFrame(
    {"age": [50.0, 60.0, 70.0, 80.0], "diagnoses": [["I21", "I10"], ["I10"], [], None]},
    index=["a", "b", "c", "d"],
)
GIVEN = Conditions.of(FRAME, SCHEMA)
THRICE = pd.concat([FRAME.rename(index=lambda i, k=k: f"{i}{k}") for k in range(3)])
TRAIN = Conditions.of(THRICE, SCHEMA)


def test_each_frequent_code_becomes_a_binary_field():
    codes = CodeColumns.fit(THRICE, SCHEMA)
    shown = codes.conditions(GIVEN)
    assert shown.schema.names == ("age", "diagnoses=I10", "diagnoses=I21")
    assert shown.rows["diagnoses=I10"].tolist() == ["yes", "yes", "no", None]
    assert shown.rows["diagnoses=I21"].tolist() == ["yes", "no", "no", None]


def test_lists_come_back_with_the_most_frequent_code_first():
    codes = CodeColumns.fit(THRICE, SCHEMA)
    again = codes.collapse(codes.expand(GIVEN.rows, SCHEMA), SCHEMA)
    assert again["diagnoses"].tolist() == [["I10", "I21"], ["I10"], [], None]


def test_codes_of_few_rows_share_a_column_and_never_come_out():
    lists = [["I10", "Z99"], ["I10"], ["I10", "Q20"], []]
    frame = FRAME.assign(diagnoses=pd.Series(lists, index=FRAME.index, dtype=object))
    codes = CodeColumns.fit(frame, SCHEMA)
    wide = codes.expand(frame, SCHEMA)
    assert wide["diagnoses=I10"].tolist() == ["yes", "yes", "yes", "no"]
    assert wide["diagnoses=(rare)"].tolist() == ["yes", "no", "yes", "no"]
    assert codes.collapse(wide, SCHEMA)["diagnoses"].tolist() == [["I10"], ["I10"], ["I10"], []]


def test_a_code_of_one_subject_is_rare_however_many_rows_have_it():
    frame = THRICE.assign(diagnoses=[["Q20"]] * 6 + [["I10"]] * 6)
    subjects = ["s0"] * 6 + [f"s{i}" for i in range(6)]
    codes = CodeColumns.fit(frame, SCHEMA, subjects, least=5)
    assert (codes.common["diagnoses"], codes.rare["diagnoses"]) == (("I10",), ("Q20",))


def test_only_the_most_frequent_codes_have_a_column():
    lists = [[f"C{i:02d}" for i in range(64)] + ["Z99"]] * 3 + [["C00"]]
    frame = FRAME.assign(diagnoses=pd.Series(lists, index=FRAME.index, dtype=object))
    codes = CodeColumns.fit(frame, SCHEMA)
    assert (len(codes.common["diagnoses"]), codes.rare["diagnoses"]) == (64, ("Z99",))


def test_a_code_that_was_never_seen_is_an_error():
    encoder = ConditionEncoder.fit(TRAIN)
    asked = Conditions.of(FRAME.assign(diagnoses=[["J44"]] * 4), SCHEMA)
    with pytest.raises(ConditionError, match=r"No training record has this code.*J44.*I10"):
        encoder.encode(asked)


def test_the_vector_has_a_block_per_code_and_survives_json():
    encoder = ConditionEncoder.from_json(ConditionEncoder.fit(TRAIN).to_json())
    values, known = encoder.encode(GIVEN)
    assert encoder.widths == {"age": 1, "diagnoses": 4}
    assert values[:, 1:].tolist() == [[0, 1, 0, 1], [0, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    assert known[:, 1].tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("expression", "ids"),
    [
        ("'I21' in diagnoses", ["a"]),
        ("'I21' not in diagnoses and age > 50", ["b", "c"]),
    ],
)
def test_expressions_look_into_lists(expression, ids):
    assert GIVEN.where(expression).sample_ids == ids


def test_a_list_of_codes_is_not_compared():
    with pytest.raises(ConditionError, match="Write 'CODE' in diagnoses"):
        GIVEN.where("diagnoses == 'I21'")
