import json

import numpy as np
import pandas as pd
import pytest

from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind, Schema
from casemix.errors import FitError
from casemix.modalities.tabular.rare_values import RareValues

SCHEMA = Schema(
    (
        Field("code", Kind.CATEGORICAL, levels=("250.1", "250.2", "401", "9")),
        Field("stage", Kind.ORDINAL, levels=("I", "II", "III", "IV")),
        Field("height", Kind.NUMERIC, "cm", range=(50, 500)),
    )
)


@pytest.fixture
def rows():
    """Twenty subjects of two rows; one has the code 250.2 twice, one 431.8 cm."""
    subjects = np.repeat([f"s{i}" for i in range(20)], 2)
    frame = pd.DataFrame(
        {
            "code": ["250.2"] * 2 + ["250.1"] * 18 + ["401"] * 20,
            "stage": ["I"] * 18 + ["II"] * 2 + ["III"] * 2 + ["IV"] * 18,
            "height": np.repeat([431.8, *(150.0 + np.arange(19))], 2),
        },
        index=pd.Index([f"r{i}" for i in range(40)], dtype=object),
    )
    return frame, subjects


@pytest.fixture
def rare(rows):
    return RareValues.fit(rows[0], SCHEMA, rows[1])


def test_a_level_of_few_subjects_is_rare_however_many_rows_they_have(rows):
    frame, subjects = rows
    frame = pd.concat([frame] + [frame.iloc[:2].set_axis([f"x{k}", f"y{k}"]) for k in range(9)])
    owners = np.append(subjects, np.repeat("s0", 18))
    assert (frame["code"] == "250.2").sum() == 20
    assert "250.2" not in RareValues.fit(frame, SCHEMA, owners).schema["code"].levels


def test_a_level_of_enough_subjects_is_common(rows):
    frame, subjects = rows
    frame["code"] = ["250.2"] * 10 + ["401"] * 30
    assert RareValues.fit(frame, SCHEMA, subjects).schema["code"].levels == ("250.2", "401")


def test_a_code_that_begins_alike_stands_in_for_a_rare_one(rows, rare):
    hidden = rare.hide(rows[0])
    assert hidden["code"].tolist() == ["250.1"] * 20 + ["401"] * 20


def test_the_nearest_level_stands_in_for_a_rare_ordered_one(rows, rare):
    assert rare.hide(rows[0])["stage"].tolist() == ["I"] * 20 + ["IV"] * 20


def test_common_levels_stand_in_by_share_for_one_that_is_like_none(rows):
    frame, subjects = rows
    frame["code"] = ["9"] * 2 + ["250.1"] * 28 + ["401"] * 10
    rare = RareValues.fit(frame, SCHEMA, subjects)
    asked = pd.DataFrame({"code": ["9"] * 2000}, index=[f"n{i}" for i in range(2000)])
    drawn = rare.hide(asked)["code"]
    assert (drawn == "250.1").mean() == pytest.approx(28 / 38, abs=0.04)
    assert drawn.equals(rare.hide(asked.iloc[::-1])["code"].iloc[::-1])


def test_an_outlying_number_is_bounded_by_what_five_subjects_reach(rows, rare):
    hidden = rare.hide(rows[0])["height"]
    assert hidden.max() == pytest.approx(164.5, abs=0.11)
    assert hidden.min() == pytest.approx(154.5, abs=0.11)
    assert rare.schema["height"].range == (hidden.min(), hidden.max())


def test_a_bound_keeps_the_recorded_resolution(rows):
    frame, subjects = rows
    frame["height"] = np.repeat(np.arange(20) * 5.0, 2)
    bounds = RareValues.fit(frame, SCHEMA, subjects).bounds["height"]
    assert all(bound % 5 == 0 for bound in bounds)


def test_cells_are_missing_where_nothing_is_common(rows):
    frame, subjects = rows
    frame["code"] = None
    frame.loc["r0", "code"] = "9"
    frame["height"] = np.where(subjects < "s12", frame["height"], np.nan)
    rare = RareValues.fit(frame, SCHEMA, subjects)
    hidden = rare.hide(frame)
    assert hidden["code"].isna().all()
    assert hidden["height"].isna().all()
    assert rare.schema["code"].levels == ("(none)",)


def test_a_rare_value_comes_out_only_where_it_is_asked_for(rare):
    ids = pd.Index(["a", "b"], dtype=object)
    cells = pd.DataFrame({"code": ["250.2", None], "height": [431.8, np.nan]}, index=ids)
    asked = Conditions.of(cells, SCHEMA)
    made = pd.DataFrame({"code": ["401", "250.2"], "stage": "I", "height": [160.0, 431.8]})
    shown = rare.show(made, asked)
    assert shown["code"].tolist() == ["250.2", "250.1"]
    assert shown["height"].tolist() == pytest.approx([431.8, 164.5], abs=0.11)
    assert rare.rare(shown).sum(axis=1).tolist() == [2, 0]


def test_conditions_are_put_as_a_model_of_hidden_rows_understands_them(rare):
    ids = pd.Index(["a"], dtype=object)
    asked = Conditions.of(pd.DataFrame({"code": ["250.2"], "height": [431.8]}, index=ids), SCHEMA)
    known = rare.hide_conditions(asked)
    assert known.schema == rare.schema
    assert known.rows["code"].tolist() == ["250.1"]


def test_a_binary_field_keeps_both_levels_but_learns_the_common_one():
    schema = Schema((Field("died", Kind.BINARY),))
    frame = pd.DataFrame({"died": ["yes"] + ["no"] * 9}, index=[f"r{i}" for i in range(10)])
    rare = RareValues.fit(frame, schema, np.arange(10))
    assert rare.schema == schema
    assert set(rare.hide(frame)["died"]) == {"no"}


def test_too_few_subjects_are_refused(rows):
    with pytest.raises(FitError, match="at least 5"):
        RareValues.fit(rows[0].iloc[:8], SCHEMA, rows[1][:8])


def test_json_keeps_what_is_rare(rows, rare):
    again = RareValues.from_json(json.loads(json.dumps(rare.to_json())))
    assert again == rare
    assert again.hide(rows[0]).equals(rare.hide(rows[0]))
