"""Numbers of children: drawn in a few batches, as if one parent after another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core import registry
from casemix.core.fields import Field, Kind, Schema
from casemix.modalities.relational.child_numbers import draw_numbers, fit_numbers
from casemix.modalities.relational.steps import Parents

SAMPLES, EACH = 60, 5
SCHEMA = Schema((Field("ill", Kind.NUMERIC),))


def parents(seed):
    rng = np.random.default_rng(seed)
    item = np.repeat(np.arange(SAMPLES), EACH)
    n = len(item)
    ids = np.array([f"{seed}-{i}" for i in range(n)], dtype=object)
    known = pd.DataFrame({"ill": rng.random(n)})
    nowhere = np.full(n, np.nan)
    return Parents(ids, item, np.arange(n), np.zeros(n), nowhere, known, SCHEMA)


@pytest.fixture(scope="module")
def part():
    """Numbers that alternate within a sample: few after many."""
    above = parents(0)
    many = (np.arange(len(above)) % EACH + above.item) % 2 == 0
    tabular = registry.load("generators", "tabular/trees").tiny()
    counts = np.where(many, 6, 1) + (above.known["ill"].to_numpy() > 0.5)
    return fit_numbers(tabular, counts, above, seed=0)


def test_numbers_are_those_of_one_parent_after_another(part):
    asked = parents(1)
    found = draw_numbers(part, asked, seed=3)
    for k in range(EACH):
        now = np.arange(k, len(asked), EACH)
        earlier = found[now - 1].astype(float) if k else np.full(len(now), -1.0)
        given = asked.known.iloc[now].assign(**{"earlier.count": earlier})
        alone = part.draw(given, asked.ids[now], seed=3)["children"].to_numpy()
        assert found[now].tolist() == np.round(alone).astype(int).tolist()


def test_numbers_follow_that_of_the_parent_before(part):
    found = draw_numbers(part, parents(1), seed=3).reshape(SAMPLES, EACH)
    after_many = found[:, 1:][found[:, :-1] > 4]
    after_few = found[:, 1:][found[:, :-1] <= 4]
    assert after_many.mean() + 2 < after_few.mean()


def test_equal_numbers_need_no_model():
    tabular = registry.load("generators", "tabular/trees").tiny()
    assert fit_numbers(tabular, np.full(SAMPLES * EACH, 2), parents(0), seed=0) is None
