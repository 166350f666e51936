"""Steps: times in recorded resolution, order and containment whatever is drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Field, Kind, Schema
from casemix.modalities.relational.clock import Clock
from casemix.modalities.relational.filling import Filling
from casemix.modalities.relational.repeats import never_repeated
from casemix.modalities.relational.steps import Parents, Steps
from casemix.modalities.relational.table_form import TableForm

DOSES = TableForm(
    "doses",
    Schema((Field("begun", Kind.NUMERIC, "h"), Field("ended", Kind.NUMERIC, "h"))),
    parent="stays",
    times=("begun", "ended"),
    spans=(("begun", "ended"),),
    within=True,
)


def parents(start, end):
    n = len(start)
    nothing = pd.DataFrame(index=range(n))
    keys = np.array([f"p{i}" for i in range(n)], dtype=object), np.arange(n), np.zeros(n, int)
    return Parents(*keys, np.array(start), np.array(end), nothing, Schema())


@pytest.mark.parametrize(
    ("hours", "resolution"),
    [([0, 24, 72], 24.0), ([0, 5], 1.0), ([0.25, 1.5], 1 / 60), ([0.0025], 1 / 3600)],
)
def test_the_clock_has_the_coarsest_resolution_that_fits(hours, resolution):
    assert Clock.fit(np.array(hours, dtype=float)).resolution == pytest.approx(resolution)


def test_a_day_counts_from_the_day_of_a_moment():
    clock = Clock(24.0)
    assert clock.between([21.0], [24.0]).tolist() == [1.0]
    assert clock.after([21.0], [0.0]).tolist() == [0.0]


def test_decoding_undoes_encoding():
    frame = pd.DataFrame({"begun": [3.0, 5.0, 50.0], "ended": [4.0, 9.0, 55.0]})
    parent = np.array([0, 0, 1])
    above = parents([1.0, 48.0], [10.0, 60.0])
    steps = Steps.fit(DOSES, frame)
    reference = steps.references(frame, parent, above.start)
    assert reference.tolist() == [1.0, 3.0, 48.0]
    encoded = steps.encode(frame, reference)
    again = steps.decode(
        encoded, reference, above.take(parent), np.array([True, False, True]), np.full(3, 0.5)
    )
    pd.testing.assert_frame_equal(again[["begun", "ended"]], frame)


def test_rows_stay_within_their_parent_and_ends_after_starts_whatever_is_drawn():
    rng = np.random.default_rng(0)
    n = 300
    start = rng.integers(0, 100, n).astype(float)
    above = parents(start, start + rng.integers(0, 50, n))
    steps = Steps(DOSES, {"begun": Clock(1.0), "ended": Clock(1.0)})
    wild = pd.DataFrame({f"time.{c}": rng.integers(-90, 90, n).astype(float) for c in DOSES.times})
    rows = steps.decode(wild, above.start, above, np.full(n, True), rng.random(n))
    assert (rows["begun"] >= above.start).all()
    assert (rows["begun"] <= above.end).all()
    assert (rows["ended"] >= rows["begun"]).all()
    assert (rows["ended"] <= above.end).all()


def test_missing_cells_are_told_instead_of_left_open():
    schema = Schema((Field("x", Kind.NUMERIC), Field("k", Kind.CATEGORICAL, levels=("a", "b"))))
    frame = pd.DataFrame({"x": [1.0, np.nan, 3.0], "k": ["a", None, "b"]})
    filling = Filling.fit(frame, schema)
    filled = filling.apply(frame)
    assert filled["x"].tolist() == [1.0, 2.0, 3.0]
    assert filled["x known"].tolist() == ["yes", "no", "yes"]
    assert filled["k"].tolist() == ["a", "(none)", "b"]
    assert tuple(filled.columns) == filling.schema.names


def test_levels_count_as_never_repeated_only_where_chance_would_repeat_them():
    form = TableForm("d", Schema((Field("code", Kind.CATEGORICAL, levels=("a", "b", "c")),)))
    parent = np.repeat(np.arange(20), 3)
    apart = pd.DataFrame({"code": ["a", "b", "c"] * 20})
    assert never_repeated(form, apart, parent) == ("code",)
    assert never_repeated(form, apart.iloc[:6], parent[:6]) == ()
    assert never_repeated(form, apart.assign(code="a"), parent) == ()
