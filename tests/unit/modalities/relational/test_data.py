"""Linked tables refuse broken keys and keep every link through take, concat and Arrow."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Field, Kind, Schema
from casemix.errors import PayloadError
from casemix.modalities.relational.data import LinkedTables
from casemix.modalities.relational.ordering import child_counts, in_time_order
from casemix.modalities.relational.table_form import TableForm
from casemix.modalities.relational.toy import FORMS, toy

STAYS = TableForm("stays", Schema((Field("start", Kind.NUMERIC, "h"),)), times=("start",))
LABS = TableForm("labs", Schema((Field("value", Kind.NUMERIC),)), parent="stays")


def tables(stays, labs, count=2):
    frames = {
        "stays": pd.DataFrame(stays, columns=["item", "row", "parent", "start"]),
        "labs": pd.DataFrame(labs, columns=["item", "row", "parent", "value"]),
    }
    return LinkedTables((STAYS, LABS), frames, count)


def test_a_key_twice_is_refused():
    with pytest.raises(PayloadError, match="used before"):
        tables([(0, 0, -1, 5.0), (0, 0, -1, 7.0)], [])


def test_a_row_whose_parent_is_in_another_sample_is_refused():
    stays = [(0, 0, -1, 5.0), (1, 1, -1, 7.0)]
    assert len(tables(stays, [(0, 0, 0, 1.0)])) == 2
    with pytest.raises(PayloadError, match="no parent"):
        tables(stays, [(0, 0, 1, 1.0)])


def test_a_cycle_is_refused():
    loop = TableForm("stays", STAYS.schema, parent="labs")
    with pytest.raises(PayloadError, match="cycle"):
        LinkedTables((loop, LABS), {}, 0)


def test_a_level_outside_the_schema_is_refused():
    payload = toy(4)[0].payload
    frames = {**payload.frames, "labs": payload.frames["labs"].assign(test="sodium")}
    with pytest.raises(PayloadError, match="sodium"):
        LinkedTables(FORMS, frames, 4)


def test_take_moves_all_rows_of_a_sample_together():
    whole = toy(6)[0].payload
    part = whole.take(np.array([4, 1, 4]))
    for form in FORMS:
        frame, source = part.frames[form.name], whole.frames[form.name]
        for item, origin in enumerate((4, 1, 4)):
            found = frame[frame["item"] == item].drop(columns="item").reset_index(drop=True)
            real = source[source["item"] == origin].drop(columns="item").reset_index(drop=True)
            pd.testing.assert_frame_equal(found, real)


def test_parts_join_to_the_whole():
    whole = toy(7)[0].payload
    joined = LinkedTables.concat([whole.take(np.arange(3)), whole.take(np.arange(3, 7))])
    assert joined.to_table().equals(whole.to_table())


def test_arrow_round_trip_keeps_subjects_without_rows():
    empty = tables([(1, 0, -1, 3.0)], [], count=3)
    again = LinkedTables.from_table(empty.to_table())
    assert len(again) == 3
    assert again.forms == empty.forms
    assert again.frames["stays"].equals(empty.frames["stays"])


def test_in_time_order_renumbers_rows_and_keeps_their_children():
    found = in_time_order(
        tables([(0, 0, -1, 9.0), (0, 1, -1, 2.0)], [(0, 0, 0, 90.0), (0, 1, 1, 20.0)], count=1)
    )
    assert found.frames["stays"]["start"].tolist() == [2.0, 9.0]
    assert found.frames["labs"][["parent", "value"]].to_numpy().tolist() == [[0, 20.0], [1, 90.0]]


def test_children_are_counted_per_parent_and_none_counts():
    found = tables([(0, 0, -1, 1.0), (0, 1, -1, 2.0), (1, 0, -1, 1.0)], [(0, 0, 1, 1.0)])
    assert child_counts(LABS, found).tolist() == [0, 1, 0]
    assert child_counts(STAYS, found).tolist() == [2, 1]
