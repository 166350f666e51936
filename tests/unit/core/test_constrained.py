from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core import registry
from casemix.core.conditions import Conditions
from casemix.core.constrained import Demand, demands, generate_meeting, rows_of
from casemix.core.fields import Field, Kind, Schema
from casemix.errors import ConditionError
from casemix.modalities.tabular.toy import toy


@pytest.fixture(scope="module")
def trees():
    data, given = toy(300, seed=0)
    columns = data.payload.frame.set_axis(given.rows.index, axis=0)
    given = given.join(columns, data.payload.schema)
    return registry.load("generators", "tabular/trees").tiny().fit(
        data, given, seed=0
    ), given.schema


def asked(schema: Schema, n: int, **cells: object) -> Conditions:
    ids = pd.Index([f"new-{i}" for i in range(n)], dtype=object)
    return Conditions.of(schema.empty(ids).assign(**cells), schema)


def meeting(trees, expression: str, wanted: Conditions, seed: int = 1) -> pd.DataFrame:
    model, schema = trees
    made = generate_meeting(
        lambda c: model.generate(c, seed=seed), wanted, demands(expression, schema), seed=seed
    )
    assert list(made.sample_ids) == wanted.sample_ids
    return rows_of(made, wanted)


@pytest.mark.parametrize(
    ("expression", "column", "holds"),
    [
        ("marker > 60", "marker", lambda v: v > 60),
        ("30 < marker <= 31", "marker", lambda v: 30 < v <= 31),
        ("stage >= 'II' and ward != 'surgery'", "stage", lambda v: v != "I"),
        ("not treated == 'yes'", "treated", lambda v: v == "no"),
        ("ward in ['surgery', 'medicine']", "ward", lambda v: v != "cardiology"),
    ],
)
def test_ranges_and_operators_are_met_by_every_row(trees, expression, column, holds):
    rows = meeting(trees, expression, asked(trees[1], 40))
    assert rows[column].map(holds).all()


def test_the_rest_of_the_row_follows(trees):
    _, schema = trees
    high = meeting(trees, "marker > 90", asked(schema, 60))
    low = meeting(trees, "marker < 20", asked(schema, 60))
    assert (high["treated"] == "yes").mean() > (low["treated"] == "yes").mean() + 0.4
    real = toy(3000, seed=5)[0].payload.frame
    truth = (real["stage"][real["marker"] < 20] == "I").mean()
    assert (low["stage"] == "I").mean() == pytest.approx(truth, abs=0.15)


def test_what_is_rarely_met_is_guided_and_varies(trees):
    _, schema = trees
    rows = meeting(
        trees, "marker > 150 and ward == 'surgery' and stage == 'III'", asked(schema, 30)
    )
    assert (rows["marker"] > 150).all()
    assert (rows["ward"] == "surgery").all()
    assert rows["clearance"].nunique() > 5


def test_known_cells_stay_and_a_part_is_the_same_as_in_the_whole(trees):
    _, schema = trees
    wanted = asked(schema, 12, group=["a", "b"] * 6)
    whole = meeting(trees, "marker > 100", wanted)
    part = meeting(trees, "marker > 100", wanted.take(np.array([7, 2])))
    pd.testing.assert_frame_equal(part, whole.iloc[[7, 2]])


def test_known_cells_that_exclude_the_demand_are_an_error(trees):
    _, schema = trees
    with pytest.raises(ConditionError, match="met: stage == 'III'"):
        meeting(trees, "stage == 'III'", asked(schema, 2, stage="I"))


def test_any_predicate_over_named_cells_is_a_demand(trees):
    model, schema = trees
    even = Demand(("marker",), lambda rows: rows["marker"].to_numpy() % 2 == 0, "even markers")
    made = generate_meeting(lambda c: model.generate(c, seed=0), asked(schema, 25), [even], seed=0)
    assert (made.payload.frame["marker"] % 2 == 0).all()


def test_an_expression_over_an_unknown_field_is_an_error():
    schema = Schema((Field("age", Kind.NUMERIC),))
    with pytest.raises(ConditionError, match="not a field"):
        demands("agee > 3", schema)
