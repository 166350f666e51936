from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core.conditions import Conditions
from casemix.core.encoding import ConditionEncoder, ConditionPrompt
from casemix.core.expressions import fixed_cells
from casemix.core.fields import Field, Kind, Schema
from casemix.errors import ConditionError

SCHEMA = Schema(
    (
        Field("age", Kind.NUMERIC, "a", range=(0, 120)),
        Field("sex", Kind.BINARY, levels=("F", "M")),
        Field("nyha", Kind.ORDINAL, levels=("I", "II", "III")),
        Field("group", Kind.CATEGORICAL, levels=("a", "b", "c")),
    )
)
FRAME = pd.DataFrame(
    {
        "age": [50.0, 71.0, np.nan, 80.0],
        "sex": ["F", "F", "M", None],
        "nyha": ["I", "III", "II", None],
        "group": ["a", None, "b", "c"],
    },
    index=["p1", "p2", "p3", "p4"],
)
GIVEN = Conditions.of(FRAME, SCHEMA)


def test_an_unknown_condition_is_an_error_with_a_hint():
    with pytest.raises(ConditionError, match=r"Unknown condition 'sexx'.*Did you mean 'sex'"):
        Conditions.of(FRAME.rename(columns={"sex": "sexx"}), SCHEMA)


def test_an_unknown_level_is_an_error():
    with pytest.raises(ConditionError, match="Unknown level in field 'group'"):
        Conditions.of(FRAME.assign(group="z"), SCHEMA)


def test_a_number_outside_its_range_is_an_error():
    with pytest.raises(ConditionError, match=r"outside its range.*150.*0.0 to 120.0 a"):
        Conditions.of(FRAME.assign(age=150.0), SCHEMA)


def test_repeated_ids_are_an_error():
    with pytest.raises(ConditionError, match="not unique"):
        Conditions.of(FRAME.set_axis(["p1", "p1", "p2", "p3"]), SCHEMA)


def test_a_map_of_another_length_is_an_error():
    with pytest.raises(ConditionError, match="one entry per row"):
        Conditions(GIVEN.rows, SCHEMA, {"segmentation": np.zeros((3, 1, 4, 4))})


@pytest.mark.parametrize(
    ("expression", "ids"),
    [
        ("age > 70 and sex == 'F'", ["p2"]),
        ("70 < age", ["p2", "p4"]),
        ("40 < age <= 71", ["p1", "p2"]),
        ("nyha >= 'II'", ["p2", "p3"]),
        ("group in ['a', 'c'] or sex == 'M'", ["p1", "p3", "p4"]),
        ("not sex == 'F'", ["p3", "p4"]),
        ("group != 'a'", ["p3", "p4"]),
    ],
)
def test_where_keeps_the_rows_that_hold(expression, ids):
    assert GIVEN.where(expression).sample_ids == ids


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("age >", "cannot be read"),
        ("ages > 3", "Did you mean 'age'"),
        ("sex == 'X'", "Unknown level"),
        ("age == 'old'", "numeric"),
        ("__import__('os').system('true')", "not a comparison"),
        ("age > __import__('os').getpid()", "not a plain value"),
        ("age + 1", "not a comparison"),
    ],
)
def test_where_refuses_what_it_cannot_mean(expression, message):
    with pytest.raises(ConditionError, match=message):
        GIVEN.where(expression)


def test_fixed_cells_are_the_top_level_equalities():
    assert fixed_cells("sex == 'F' and age > 3 and 'b' == group", SCHEMA) == {
        "sex": "F",
        "group": "b",
    }
    assert fixed_cells("sex == 'F' or age > 3", SCHEMA) == {}


def test_align_fills_what_is_not_given_and_refuses_what_is_not_known():
    aligned = GIVEN.pick(["age"]).align(SCHEMA)
    assert aligned.schema == SCHEMA
    assert aligned.rows["sex"].isna().all()
    with pytest.raises(ConditionError, match="Unknown condition 'sex'"):
        GIVEN.align(SCHEMA.pick(["age"]))


def test_join_on_subject_leaves_absent_subjects_unspecified():
    schema = Schema((Field("tabular.sodium", Kind.NUMERIC),))
    joined = GIVEN.join(pd.DataFrame({"tabular.sodium": [140.0]}, ["p2"]), schema, on="subject_id")
    assert joined.rows["tabular.sodium"].tolist()[1] == 140.0
    assert joined.rows["tabular.sodium"].isna().sum() == 3


def test_dropped_cells_do_not_depend_on_the_other_rows():
    whole = GIVEN.drop_cells(0.5, seed=1)
    part = GIVEN.take(np.array([2])).drop_cells(0.5, seed=1)
    assert part.rows.equals(whole.rows.iloc[[2]])
    assert 0 < whole.values.isna().to_numpy().sum() < 16


def test_the_vector_encoding_marks_unspecified_cells():
    encoder = ConditionEncoder.fit(GIVEN)
    values, known = encoder.encode(GIVEN)
    assert values.shape == known.shape == (4, encoder.width) == (4, 1 + 2 + 1 + 3)
    assert (values[known == 0] == 0).all()
    assert values[0, 1:3].tolist() == [1, 0]
    assert values[:3, 3].tolist() == [-1, 1, 0]
    again = ConditionEncoder.from_json(encoder.to_json())
    assert np.array_equal(again.encode(GIVEN)[0], values)


def test_the_prompt_leaves_unspecified_cells_out():
    lines = ConditionPrompt.of(SCHEMA).lines(GIVEN)
    assert lines[0] == "age: 50 a; sex: F; nyha: I; group: a"
    assert lines[3] == "age: 80 a; group: c"
