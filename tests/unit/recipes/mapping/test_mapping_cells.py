"""Raw cells become typed columns, and every change is counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.errors import MappingError
from casemix.recipes.mapping.cells import cell_text, typed
from casemix.recipes.mapping.fields import FieldSpec


def spec(**keys) -> FieldSpec:
    return FieldSpec.from_yaml(keys, "fields.x")


def read(cells, **keys):
    return typed(pd.Series(cells), spec(**keys), "fields.x")


def test_missing_codes_are_counted_and_become_missing():
    cells = read([-1, 5, None, -1], kind="numeric", missing=[-1])
    assert cells.values.isna().tolist() == [True, False, True, True]
    assert (cells.counts.missing_codes, cells.counts.empty) == (2, 1)


def test_impossible_values_are_set_to_missing_and_counted():
    cells = read([164.0, 431.8, 13.0], kind="numeric", unit="cm", range=[100, 230])
    assert cells.values.isna().tolist() == [False, True, True]
    assert cells.counts.out_of_range == 2
    assert cells.counts.extremes == (13.0, 431.8)
    assert (
        "2 of 3 numbers outside 100 to 230 cm (from 13 to 431.8): set to missing"
        in (cells.counts.lines()[0])
    )


def test_outside_clip_moves_to_the_range():
    cells = read([-5.0, 50.0, 101.0], kind="numeric", range=[0, 100], outside="clip")
    assert cells.values.tolist() == [0.0, 50.0, 100.0]
    assert cells.counts.out_of_range == 2


def test_outside_drop_marks_the_row():
    cells = read([-5.0, 50.0], kind="numeric", range=[0, 100], outside="drop")
    assert cells.drop.tolist() == [True, False]


def test_outside_error_says_which_and_what_is_allowed():
    with pytest.raises(MappingError, match=r"fields\.x: 1 numbers.*Given: 101\..*0 to 100"):
        read([101.0], kind="numeric", range=[0, 100], outside="error")


def test_text_in_a_numeric_field_is_an_error_by_default():
    with pytest.raises(MappingError, match=r"not a number.*'> 89'"):
        read(["12", "> 89"], kind="numeric")


def test_invalid_missing_counts_text_and_infinity():
    cells = read(["12", "haemolytic"], kind="numeric", invalid="missing")
    assert cells.values.tolist()[0] == 12.0
    assert cells.counts.invalid == 1
    infinite = read([1.0, np.inf], kind="numeric", invalid="missing")
    assert infinite.values.isna().tolist() == [False, True]


def test_an_infinite_number_is_an_error_by_default():
    with pytest.raises(MappingError, match="not a number"):
        read([np.inf], kind="numeric")


def test_conversion_comes_before_the_range():
    convert = {"scale": 5 / 9, "offset": -160 / 9, "decimals": 1}
    cells = read([98.6, 95.0], kind="numeric", convert=convert, range=[36, 42])
    assert cells.values.tolist()[0] == 37.0
    assert cells.counts.extremes == (35.0, 35.0)


def test_single_precision_keeps_the_recorded_resolution():
    cells = typed(pd.Series([35.1], dtype="float32"), spec(kind="numeric"), "x")
    assert cells.values.tolist() == [35.1]


@pytest.mark.parametrize("cells", [[0, 1], [0.0, 1.0], ["0", "1"], [False, True], [" no", "yes "]])
def test_binary_fields_read_what_hospitals_write(cells):
    assert read(cells, kind="binary").values.tolist() == ["no", "yes"]


def test_levels_map_several_raw_cells_to_one_level():
    cells = read([1.0, 2.0, 3.0, None], kind="categorical", levels={1: "a", 2: "b", 3: "a"})
    assert cells.values.tolist() == ["a", "b", "a", None]


def test_an_unlisted_level_is_an_error_with_the_nearest_one():
    with pytest.raises(MappingError, match=r"'Femal'.*Did you mean 'Female'"):
        read(["Female", "Femal"], kind="binary", levels={"Female": "F", "Male": "M"})


def test_codes_are_split_and_stripped():
    cells = read(["MI, STTC", "", None], kind="codes", split=",")
    assert cells.values.tolist() == [["MI", "STTC"], [], None]


def test_contains_asks_for_one_code():
    cells = read(["MI,STTC", "NORM", None], kind="binary", split=",", contains="MI")
    assert cells.values.tolist() == ["yes", "no", None]


def test_cell_text_joins_what_files_write_differently():
    mixed = pd.Series([1, 1.0, "1", True, None, 2.5], dtype=object)
    assert cell_text(pd.Series([1.0, np.nan])).tolist() == ["1", None]
    assert cell_text(mixed.iloc[[2, 5]]).tolist() == ["1", "2.5"]
    assert cell_text(pd.Series([True, False])).tolist() == ["true", "false"]


def test_a_field_without_any_known_value_is_reported():
    counts = read([None, None], kind="binary").counts
    assert counts.lines() == ["fields.x: no known value"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"kind": "numeric", "outside": "clip"}, "'outside' needs a 'range'"),
        ({"kind": "binary", "convert": {"scale": 2}}, "only a numeric field"),
        ({"kind": "categorical"}, "names no levels"),
        ({"kind": "numeric", "range": [5, 1]}, "unusable range"),
        ({"kind": "numeric", "column": "a", "codes": ["b"]}, "not both"),
        ({"kind": "numeric", "aggregate": "first"}, "needs event 'codes'"),
        ({"kind": "numeric", "codes": ["b"], "aggregate": "present"}, "needs kind binary"),
        ({"kind": "numerc"}, "Did you mean 'numeric'"),
        ({"kind": "numeric", "units": "a"}, "unknown key 'units'.*Did you mean 'unit'"),
    ],
)
def test_keys_that_contradict_each_other_are_refused(keys, message):
    with pytest.raises(MappingError, match=rf"fields\.x.*{message}"):
        spec(**keys)


def test_dates_do_not_pass_for_numbers():
    with pytest.raises(MappingError, match="holds dates, not numbers"):
        typed(pd.Series(pd.to_datetime(["2020-01-01"]), name="born"), spec(kind="numeric"), "x")


def test_lists_do_not_pass_for_levels():
    with pytest.raises(MappingError, match="'c' holds lists"):
        typed(pd.Series([["a"], ["b"]], name="c"), spec(kind="categorical", levels=["a"]), "x")
