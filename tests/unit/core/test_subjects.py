from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core import seeding
from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind, Schema
from casemix.core.subjects import draw_suited, new_subjects

SCHEMA = Schema((Field("x", Kind.NUMERIC), Field("y", Kind.NUMERIC)))


def draw(asked: Conditions) -> Conditions:
    """Fill unspecified cells with uniform numbers, each by its own id."""
    u = seeding.uniform(0, asked.sample_ids, 2, stream="cells")
    numbers = pd.DataFrame(u, asked.rows.index, list(SCHEMA.names))
    return Conditions.of(asked.values.fillna(numbers), SCHEMA)


def drawn_until(share: float, asked: Conditions, seed: int = 1) -> pd.DataFrame:
    """Return subjects drawn until x lies below ``share``."""
    return draw_suited(draw, lambda d: (d.values["x"] < share).to_numpy(), asked, seed=seed).values


@pytest.mark.parametrize("share", [0.5, 0.01])  # a round or two, and the pool
def test_all_subjects_are_suited_and_keep_their_ids(share):
    asked = new_subjects(100, SCHEMA)
    made = drawn_until(share, asked)
    assert (made["x"] < share).all()
    assert list(made.index) == asked.sample_ids
    assert 0.35 < made["y"].mean() < 0.65  # what was not wished for is not bent


def test_who_is_suited_at_once_is_not_drawn_again():
    asked = new_subjects(100, SCHEMA)
    first = draw(asked).values
    good = first["x"] < 0.5
    assert drawn_until(0.5, asked)[good].equals(first[good])


@pytest.mark.parametrize("share", [0.3, 0.01])
def test_a_part_is_the_same_as_in_the_whole(share):
    asked, some = new_subjects(30, SCHEMA), np.array([21, 4])
    assert drawn_until(share, asked.take(some)).equals(drawn_until(share, asked).iloc[some])


def test_what_is_known_stays_even_where_it_is_not_suited():
    asked = new_subjects(3, SCHEMA)
    asked = Conditions(asked.rows.assign(x=[0.9, 0.1, 0.9]), SCHEMA)
    assert drawn_until(0.5, asked)["x"].tolist() == [0.9, 0.1, 0.9]
    whole = Conditions(asked.rows.assign(y=0.5), SCHEMA)
    assert drawn_until(0.5, whole).equals(whole.values)


def test_where_nobody_is_suited_the_first_draw_stands():
    asked = new_subjects(3, SCHEMA)
    assert drawn_until(0.0, asked).equals(draw(asked).values)
