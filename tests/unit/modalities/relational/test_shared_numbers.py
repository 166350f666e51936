"""Numbers as states: what many share comes back exactly, and no single subject's number does."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Field, Kind, Schema
from casemix.modalities.relational.shared_numbers import SharedNumbers, StatedNumbers

N = 40
OWNERS = np.arange(N)
IDS = np.array([f"row-{i}" for i in range(N)], dtype=object)
SKEWED = np.round(np.exp(np.linspace(0, 6, N)), 1)
SCHEMA = Schema((Field("price", Kind.NUMERIC, range=(0, 1e6)), Field("hours", Kind.NUMERIC)))


def table(price):
    return pd.DataFrame({"price": price, "hours": SKEWED})


def test_a_shared_value_comes_back_exactly_and_stays_a_state():
    prices = np.where(OWNERS < 20, 0.0, np.where(OWNERS < 30, 9.99, 3.0))
    coded = StatedNumbers.fit(table(prices), SCHEMA, OWNERS)
    assert coded.schema.names == ("price is", "hours is", "hours")
    assert coded.schema["price is"].levels == ("0.0", "3.0", "9.99")
    again = coded.decode(coded.encode(table(prices)), IDS, seed=0)
    assert again["price"].tolist() == prices.tolist()


def test_a_missing_number_stays_missing():
    prices = np.where(OWNERS < 20, 0.0, np.nan)
    coded = StatedNumbers.fit(table(prices), SCHEMA, OWNERS)
    again = coded.decode(coded.encode(table(prices)), IDS, seed=0)
    assert again["price"].isna().tolist() == np.isnan(prices).tolist()


def test_twenty_rows_of_four_subjects_do_not_make_a_value_shared():
    cells = np.where(OWNERS % 2, 7.0, SKEWED)
    few, many = (
        SharedNumbers.fit(cells, w) for w in (np.where(OWNERS % 2, OWNERS % 8, OWNERS), OWNERS)
    )
    assert few is not None
    assert many is not None
    assert (few.values, many.values) == ((), (7.0,))


def test_numbers_beyond_the_fifth_subject_are_learnt_as_a_tail():
    found = SharedNumbers.fit(SKEWED, OWNERS)
    assert found is not None
    bound = (SKEWED[-5] + SKEWED[-6]) / 2
    assert found.tails["above"].bound == pytest.approx(bound)
    assert (found.states(SKEWED) == "above").sum() == 5
    assert found.within(SKEWED).max() == pytest.approx(bound)


def test_a_tail_knows_no_more_of_the_largest_number_than_that_it_is_large():
    larger = SKEWED.copy()
    larger[-1] = 1e9
    assert SharedNumbers.fit(larger, OWNERS) == SharedNumbers.fit(SKEWED, OWNERS)


def test_a_tail_is_drawn_beyond_its_bound_and_alike_in_any_batch():
    coded = StatedNumbers.fit(table(SKEWED), SCHEMA, OWNERS)
    drawn = coded.encode(table(SKEWED))
    again = coded.decode(drawn, IDS, seed=1)["hours"]
    above = (drawn["hours is"] == "above").to_numpy()
    assert (again[above] > coded.numbers["hours"].tails["above"].bound - 0.05).all()
    assert again[above].nunique() > 1
    part = coded.decode(drawn.iloc[::-1], IDS[::-1], seed=1)["hours"]
    assert part.iloc[::-1].tolist() == again.tolist()
    assert (again >= 0).all()


def test_states_survive_json():
    coded = StatedNumbers.fit(table(SKEWED), SCHEMA, OWNERS)
    assert StatedNumbers.from_json(json.loads(json.dumps(coded.to_json()))) == coded
