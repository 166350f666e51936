"""A first mapping from cells and names: kinds, units, orders, dates, and what is left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.errors import MappingError
from casemix.recipes.mapping.column_kind import guess_column
from casemix.recipes.mapping.infer import infer_field, infer_mapping
from casemix.recipes.mapping.load import mapping_of
from casemix.recipes.mapping.ordinals import ordered
from casemix.recipes.mapping.parse import parse_yaml
from casemix.recipes.mapping.units import unit_of


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([1.5, 2.5, 3.5, 4.0], {"kind": "numeric", "range": [1.5, 4]}),
        (["1", "2", "3", "4"], {"kind": "numeric", "range": [1, 4]}),
        (["5", "NA", "7", "8", "9", "9"], {"kind": "numeric", "range": [5, 9], "missing": ["NA"]}),
        (["F", "M", "F"], {"kind": "binary", "levels": ["F", "M"]}),
        ([0, 1, 1], {"kind": "binary", "levels": ["0", "1"]}),
        ([True, False], {"kind": "binary", "levels": ["false", "true"]}),
        (["10", "2", "low"], {"kind": "categorical", "levels": ["2", "10", "low"]}),
        (
            ["[10-20)", "[0-10)", "[90-100)"],
            {"kind": "ordinal", "levels": "[0-10) [10-20) [90-100)"},
        ),
        (["high", "low", "medium"], {"kind": "ordinal", "levels": "low medium high"}),
        ([np.nan, np.nan], None),
        (list(range(60)), None),
        ([f"text {i}" for i in range(60)], None),
        (["x" * 500] * 20, None),
        ([[1], [2]], None),
        ([5.0, *[np.nan] * 30], None),
        ([2**60 + (i % 25) * 4096 for i in range(50)], None),
        (pd.to_datetime(["2020-01-01", "2021-01-01"]), None),
        (["2020-01-01", "2021-01-01"], None),
    ],
)
def test_kinds_are_inferred_from_cells(cells, expected):
    if expected and isinstance(expected.get("levels"), str):
        expected = {**expected, "levels": expected["levels"].split()}
    assert infer_field(pd.Series(cells)) == expected


def test_numbers_with_some_text_are_numbers_and_a_stand_in_is_missing():
    cells = ["-999", *[str(10 + i % 40) for i in range(50)], "hemolytic", "inf"]
    guess = guess_column(pd.Series(cells, name="x"))
    block = {"kind": "numeric", "range": [10, 49], "missing": ["-999"], "invalid": "missing"}
    assert guess.block == block
    assert "2 cells are no finite number (hemolytic, inf)" in guess.reason


def test_a_range_does_not_tell_the_most_extreme_value():
    block = infer_field(pd.Series([*np.linspace(20, 80, 40), 89.7], name="age"))
    assert block == {"kind": "numeric", "unit": "a", "range": [20, 90]}


def test_many_levels_keep_those_of_five_subjects_and_pool_the_rest():
    codes = [f"C{i % 60:02d}" for i in range(600)] + [f"R{i}" for i in range(40)]
    block = guess_column(pd.Series(codes, name="icd10 code")).block
    assert block is not None
    assert len(block["levels"]) == 60
    assert (block["other"], block["code_system"]) == ("other", "ICD-10")
    one_subject = pd.Series("p1", index=range(640))
    assert guess_column(pd.Series(codes, name="code"), owners=one_subject).block is None


def test_whole_numbers_in_a_column_of_codes_are_levels():
    codes = pd.Series(["250.83", "428", "V57", "401"] * 10)
    assert infer_field(codes.rename("diag_1"))["code_system"] == "ICD-9-CM"
    kinds = pd.Series([1, 2, 3, 5, 8] * 10)
    assert infer_field(kinds.rename("admission_type_id"))["kind"] == "categorical"
    assert infer_field(kinds.rename("visits"))["kind"] == "numeric"


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (["90+", "<18", "18-64", "65-89"], "<18 18-64 65-89 90+"),
        (["III", "I", "II", "IV"], "I II III IV"),
        (["Norm", ">8", ">7"], "Norm >7 >8"),
        (["NO", ">30", "<30"], None),
        (["red", "green", "blue"], None),
    ],
)
def test_levels_with_an_order(levels, expected):
    found = ordered(levels)
    assert (found and found[0]) == (expected and expected.split())


@pytest.mark.parametrize(
    ("name", "median", "code"),
    [
        ("weight_kg", 80, "kg"),
        ("height (cm)", 170, "cm"),
        ("Creatinine [mg/dL]", 1, "mg/dL"),
        ("sbp_mmhg", 120, "mm[Hg]"),
        ("glucose_mmol_l", 6, "mmol/L"),
        ("Temp (°F)", 98, "[degF]"),
        ("HeartRate", 80, "/min"),
        ("creatinine", 90, "umol/L"),
    ],
)
def test_units_come_from_names(name, median, code):
    unit = unit_of(name, median)
    assert unit is not None
    assert unit.code == code
    stated = any(mark in name for mark in "_([")
    assert unit.reason.startswith("unit from the name" if stated else "unit is a guess")


@pytest.mark.parametrize("name", ["score", "stage", "program", "messages"])
def test_a_name_without_a_quantity_has_no_unit(name):
    assert unit_of(name, 5.0) is None


def stays(n=40):
    rng = np.random.default_rng(0)
    admitted = pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="d")
    discharged = admitted + pd.to_timedelta(rng.integers(1, 30, n), unit="d")
    born = admitted - pd.to_timedelta(rng.integers(8000, 30000, n), unit="d")
    return pd.DataFrame(
        {
            "born": born.strftime("%d.%m.%Y"),
            "admitted": admitted.strftime("%Y-%m-%d"),
            "discharged": discharged.strftime("%m/%d/%Y"),
        }
    )


def test_dates_become_times_since_each_other_that_keep_their_order():
    inferred = infer_mapping(stays(), file="stays.csv")
    spec = mapping_of(parse_yaml(inferred.text))
    columns = spec.samples["tabular"].columns
    assert {name: c.since for name, c in columns.items()} == {
        "born": "admitted",
        "admitted": "2019-01-01",
        "discharged": "admitted",
    }
    assert columns["discharged"].range[0] >= 0 >= columns["born"].range[1]
    assert spec.tables["records"].dates["discharged"] == "%m/%d/%Y"


def test_dates_whose_day_and_month_could_be_swapped_are_left_out():
    frame = pd.DataFrame({"seen": ["01/02/2020", "03/04/2020"] * 10, "x": range(20)})
    assert "day and month cannot be told apart" in infer_mapping(frame, file="f.csv").text


def test_cells_that_are_no_dates_are_named():
    frame = stays()
    frame.loc[:2, "admitted"] = ["9999-12-31", "0001-01-01", "2020-02-30"]
    reason = infer_mapping(frame, file="stays.csv").reasons["admitted"]
    assert "9999-12-31, 0001-01-01, 2020-02-30" in reason


def test_the_rows_of_a_subject_share_its_context_and_are_ordered_by_date():
    frame = stays().assign(patient_id=np.arange(40) // 2)
    frame["sex"] = np.where(frame["patient_id"] % 3 == 0, "F", "M")
    frame["constant"] = "x"
    spec = mapping_of(parse_yaml(infer_mapping(frame, file="stays.csv").text))
    assert list(spec.subjects.fields) == ["first_admitted", "sex"]
    assert spec.tables["records"].order_by == "admitted"
    assert spec.samples["tabular"].time.since == "first_record"
    assert list(spec.samples["tabular"].columns) == ["born", "discharged", "constant"]


def test_comments_and_names_survive_whatever_a_cell_holds():
    name = 'a"b,\n# c: [d'
    frame = pd.DataFrame({name: ["x: y", "#z\n- w"] * 10, "größe": np.linspace(1, 2, 20)})
    frame["\u5e74\u9f62"] = ["1\u2028", "=1+1"] * 10
    spec = mapping_of(parse_yaml(infer_mapping(frame, file="f\n.csv").text))
    columns = spec.samples["tabular"].columns
    assert [c.column or (n,) for n, c in columns.items()] == [(c,) for c in frame.columns]
    assert columns["a_b_c_d"].level_names == ("#z\n- w", "x: y")


def test_a_table_without_rows_or_usable_columns_is_an_error():
    with pytest.raises(MappingError, match="no row"):
        infer_mapping(pd.DataFrame({"a": []}), file="f.csv")
    with pytest.raises(MappingError, match=r"no usable column.*a: no known value"):
        infer_mapping(pd.DataFrame({"a": [np.nan] * 9}), file="f.csv")


def test_a_column_named_like_the_row_numbers_stays():
    frame = pd.DataFrame({"row_number": [1.5, 2.5, 3.5, 4.5] * 5})
    spec = mapping_of(parse_yaml(infer_mapping(frame, file="f.csv").text))
    assert spec.tables["records"].number_rows == "row_number_"
    assert list(spec.samples["tabular"].columns) == ["row_number"]
