from __future__ import annotations

import pandas as pd
import pytest

from casemix.core.constrained import demands
from casemix.core.fields import Field, Kind, Schema
from casemix.core.wishes import Wishes
from casemix.errors import ConditionError

AGE = Field("age", Kind.NUMERIC, "a")
SEX = Field("sex", Kind.BINARY, levels=("F", "M"))
EGFR = Field("egfr", Kind.NUMERIC)
CONTEXT, COLUMNS = Schema((AGE, SEX)), Schema((EGFR, AGE))


def wishes(where: str, rules=None) -> Wishes:
    return Wishes.of(where, rules or {}, context=CONTEXT, columns=COLUMNS)


def texts(found) -> list[str]:
    return [demand.text for demand in found]


def test_what_names_a_column_is_asked_of_the_table_and_the_rest_of_the_context():
    found = wishes("age > 70 and egfr < 60 and (sex == 'F' or egfr > 30)")
    assert texts(found.context) == ["age > 70"]  # the context's age, though the table has one
    assert texts(found.table) == ["egfr < 60", "sex == 'F' or egfr > 30"]


def test_rules_are_added_to_what_they_are_about():
    rules = {"context": demands("age < 90", CONTEXT), "tabular": demands("egfr > 5", COLUMNS)}
    found = wishes("age > 70", rules)
    assert texts(found.context) == ["age > 70", "age < 90"]
    assert texts(found.rules) == ["egfr > 5"]
    assert not found.table


def test_only_fields_that_are_there_are_fixed():
    found = wishes("sex == 'F' and egfr == 60 and age > 70")
    rows = CONTEXT.empty(pd.Index(["a", "b"]))
    fixed = found.fix(rows, CONTEXT)
    assert fixed["sex"].tolist() == ["F", "F"]
    assert fixed["age"].isna().all()
    assert list(fixed) == ["age", "sex"]
    assert rows["sex"].isna().all()  # what was given stays as it was


def test_an_unknown_field_cannot_be_wished_for():
    with pytest.raises(ConditionError, match="egfr"):
        wishes("egfrr > 3")
