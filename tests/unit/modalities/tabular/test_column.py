import numpy as np
import pytest

from casemix.core.fields import Field, Kind
from casemix.modalities.tabular.sequential.column import (
    ATOM,
    CONTINUOUS,
    MISSING,
    Column,
    Grid,
    from_cells,
    to_cells,
)

AGE = Field("age", Kind.NUMERIC, "a")


@pytest.mark.parametrize(
    ("values", "step"),
    [([1.0, 4.0, 7.0], 3.0), ([0.25, 0.5, 1.0], 0.25), ([120.0, 135.0], 15.0), ([0.1, 0.4], 0.3)],
)
def test_the_recorded_resolution_is_found_and_kept(values, step):
    grid = Grid.fit(np.array(values))
    assert grid.step == pytest.approx(step)
    assert grid.snap(np.array(values) + 0.4 * step).tolist() == values


def test_numbers_without_a_resolution_stay_as_they_are():
    values = np.random.default_rng(0).random(50)
    assert np.array_equal(Grid.fit(values).snap(values * 0.99), values * 0.99)


def test_a_positive_quantity_stays_positive():
    grid = Grid.fit(np.array([0.0, 1.0, 5.0]))
    assert grid.snap(np.array([-0.7])).tolist() == [0.0]


def test_missing_common_and_rare_values_are_states_of_their_own():
    cells = np.concatenate([np.full(100, np.nan), np.zeros(100), np.arange(1.0, 201.0)])
    column = Column.fit(AGE, cells)
    states, scores = column.encode(cells)
    assert column.atoms.tolist() == [0.0]
    assert set(states[:100]) == {MISSING}
    assert set(states[100:200]) == {ATOM}
    assert set(states[200:]) == {CONTINUOUS}
    assert (np.diff(scores[200:]) >= 0).all()


def test_a_value_of_few_subjects_is_no_atom_however_many_rows_have_it():
    cells = np.concatenate([np.full(100, 7.5), np.arange(100.0)])
    owners = np.concatenate([np.arange(100) % 4, np.arange(100)])
    assert Column.fit(AGE, cells).atoms.tolist() == [7.5]
    assert Column.fit(AGE, cells, owners).atoms.tolist() == []


def test_states_decode_to_cells():
    cells = np.concatenate([np.full(30, np.nan), np.zeros(30), np.arange(1.0, 101.0)])
    column = Column.fit(AGE, cells)
    again = column.decode(*column.encode(cells))
    assert np.array_equal(np.isnan(again), np.isnan(cells))
    assert (again[30:60] == 0).all()
    assert np.abs(again[70:150] - cells[70:150]).max() <= 2.0


def test_a_constant_column_gives_its_value_only():
    column = Column.fit(AGE, np.full(3, 4.2))
    assert column.decode(*column.encode(np.array([4.2, 9.0]))).tolist() == [4.2, 4.2]


def test_levels_become_positions_and_back():
    import pandas as pd

    field = Field("stage", Kind.ORDINAL, levels=("I", "II"))
    cells = to_cells(field, pd.Series(["II", None, "I"], dtype=object))
    assert from_cells(field, cells).tolist() == ["II", None, "I"]


def test_json_keeps_the_column():
    cells = np.concatenate([np.zeros(30), np.arange(1.0, 101.0)])
    column = Column.fit(AGE, cells)
    again = Column.from_json(column.to_json())
    assert np.array_equal(again.decode(*column.encode(cells)), column.decode(*column.encode(cells)))
