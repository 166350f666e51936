"""The payload of event streams keeps histories whole and refuses what is not one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core.cohort import Cohort
from casemix.core.conditions import Conditions
from casemix.core.fields import Schema
from casemix.core.samples import Samples
from casemix.errors import PayloadError
from casemix.modalities.events.data import Events


def frame(*rows):
    return pd.DataFrame(rows, columns=["item", "hours", "code", "value"])


@pytest.fixture
def events():
    rows = frame((0, 0.0, "VISIT", np.nan), (0, 1.5, "LAB//K", 4.1), (2, -3.0, "Müdigkeit", np.nan))
    return Events(rows, 3, {"LAB//K": "mmol/L"})


def test_taking_keeps_each_history_and_the_empty_one(events):
    taken = events.take(np.array([2, 1, 0, 2]))
    assert taken.frame["item"].tolist() == [0, 2, 2, 3]
    assert taken.frame["code"].tolist() == ["Müdigkeit", "VISIT", "LAB//K", "Müdigkeit"]
    assert len(events.take(np.array([], dtype=int))) == 0


def test_joining_undoes_taking(events):
    parts = [events.take(np.array([i])) for i in range(3)]
    assert Events.concat(parts).to_table().equals(events.to_table())


def test_an_arrow_table_gives_the_events_back(events):
    again = Events.from_table(events.to_table())
    pd.testing.assert_frame_equal(again.frame, events.frame)
    assert (again.n, again.units) == (3, events.units)


def test_a_cohort_folder_keeps_events(events, tmp_path):
    ids = pd.Index(["a", "b", "c"])
    given = Conditions.of(pd.DataFrame(index=ids), Schema())
    samples = Samples("events", given.rows, events)
    Cohort(pd.DataFrame(index=ids), Schema(), {"events": samples}).save(tmp_path / "cohort")
    again = Cohort.load(tmp_path / "cohort")["events"].payload
    assert again.to_table().equals(events.to_table())


def test_a_preview_shows_time_code_value_and_unit(events):
    rows = events.preview(0)["rows"]
    assert rows[1] == ["1.5 h  LAB//K", 4.1, "mmol/L"]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (frame((0, 2.0, "a", 1.0), (0, 1.0, "b", 1.0)), "sorted"),
        (frame((1, 2.0, "a", 1.0), (0, 1.0, "b", 1.0)), "sorted"),
        (frame((3, 0.0, "a", 1.0)), "does not exist"),
        (frame((0, np.nan, "a", 1.0)), "no finite time"),
        (frame((0, 0.0, "", 1.0)), "not empty"),
        (frame((0, 0.0, None, 1.0)), "not empty"),
        (frame((0, 0.0, "a", np.inf)), "infinite"),
        (frame((0, 0.0, "a", "high")), "must be numbers"),
        (frame((0, 0.0, "a", 1.0)).drop(columns="value"), "lack the column 'value'"),
    ],
)
def test_what_is_no_history_is_refused(rows, says):
    with pytest.raises(PayloadError, match=says):
        Events(rows, 3)


def test_lists_of_unequal_lengths_are_refused(events):
    table = events.to_table()
    short = table.set_column(0, "hours", [[[0.0], [], [1.0]]])
    with pytest.raises(PayloadError, match="another number of entries"):
        Events.from_table(short)


def test_one_code_has_one_unit(events):
    other = Events(events.frame, 3, {"LAB//K": "mg/dL"})
    with pytest.raises(PayloadError, match="two units"):
        Events.concat([events, other])
