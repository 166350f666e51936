from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Field, Kind, Schema, field_from_json
from casemix.errors import SchemaError

AGE = Field("age", Kind.NUMERIC, "a", range=(0, 120))
SEX = Field("sex", Kind.BINARY, levels=("F", "M"))
NYHA = Field("nyha", Kind.ORDINAL, levels=("I", "II", "III", "IV"))
SCHEMA = Schema((AGE, SEX, NYHA))


def test_a_schema_survives_json():
    assert Schema.from_json(SCHEMA.to_json()) == SCHEMA


def test_binary_columns_of_booleans_become_levels_and_keep_gaps():
    column = pd.Series([True, None, False], dtype="boolean")
    assert Field("smoker", Kind.BINARY).coerce(column).tolist() == ["yes", None, "no"]


def test_levels_read_as_floats_because_of_gaps_are_found():
    stage = Field("stage", Kind.ORDINAL, levels=("1", "2"))
    assert stage.coerce(pd.Series([1.0, np.nan, 2.0])).tolist() == ["1", None, "2"]


@pytest.mark.parametrize(
    ("column", "field", "message"),
    [
        (pd.Series(["12", "high"]), AGE, "'high'"),
        (pd.Series([1.0, np.inf]), AGE, "infinite"),
        (pd.Series(["F", "m"]), SEX, "Did you mean 'M'|Allowed: F, M"),
    ],
)
def test_values_that_do_not_fit_are_named(column, field, message):
    with pytest.raises(SchemaError, match=message):
        field.coerce(column)


def test_a_missing_column_is_named_with_its_nearest_match():
    with pytest.raises(SchemaError, match=r"Missing: age\. Did you mean 'agee'"):
        Schema((AGE,)).coerce(pd.DataFrame({"agee": [1]}))


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "x", "kind": "numerical"},
        {"name": "x", "kind": "numeric", "levles": []},
        {"name": "x", "kind": "categorical"},
        {"name": "x", "kind": "categorical", "levels": ["a", "a"]},
        {"name": "x", "kind": "binary", "levels": ["a", "b", "c"]},
        {"name": "x", "kind": "numeric", "range": [3, 1]},
        {"name": "", "kind": "numeric"},
    ],
)
def test_impossible_fields_are_refused(bad):
    with pytest.raises(SchemaError):
        field_from_json(bad)


def test_a_repeated_field_is_refused():
    with pytest.raises(SchemaError, match="twice"):
        Schema((AGE, AGE))


def test_joining_conflicting_definitions_is_refused():
    with pytest.raises(SchemaError, match="differently"):
        SCHEMA.join(Schema((Field("age", Kind.NUMERIC, "mo"),)))


def test_range_is_inclusive():
    assert AGE.out_of_range(pd.Series([-1.0, 0.0, 120.0, 121.0, np.nan])).tolist() == [
        True, False, False, True, False,
    ]  # fmt: skip
