import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Field, Kind, Schema
from casemix.errors import PayloadError
from casemix.modalities.tabular.data import Table

SCHEMA = Schema(
    (
        Field("größe", Kind.NUMERIC, "cm", range=(0, 250)),
        Field("stage", Kind.ORDINAL, levels=("I", "II")),
        Field("drugs", Kind.CODES, code_system="ATC"),
    )
)
FRAME = pd.DataFrame(
    {
        "größe": [170.1, np.nan, 0.1 + 0.2],
        "stage": ["I", None, "II"],
        "drugs": [["C07", "A10"], None, []],
    },
    index=["x", "y", "z"],
)


def test_a_table_survives_arrow_bit_by_bit():
    table = Table(FRAME, SCHEMA)
    again = Table.from_table(table.to_table())
    assert again.schema == SCHEMA
    assert again.frame.equals(table.frame)


def test_rows_are_taken_and_joined_in_order():
    table = Table(FRAME, SCHEMA)
    both = Table.concat([table.take(np.array([2])), table.take(np.array([0]))])
    assert both.frame["stage"].tolist() == ["II", "I"]


def test_tables_with_other_columns_are_not_joined():
    table = Table(FRAME, SCHEMA)
    with pytest.raises(PayloadError, match="same columns"):
        Table.concat([table, Table(FRAME, SCHEMA.pick(["stage"]))])


@pytest.mark.parametrize(
    ("column", "cell"), [("größe", np.inf), ("größe", 251.0), ("stage", "III"), ("drugs", "C07")]
)
def test_a_bad_cell_is_refused_with_its_row_and_column(column, cell):
    bad = FRAME.astype({column: object})
    bad.at["z", column] = cell
    with pytest.raises(PayloadError, match=r"row 2\b") as caught:
        Table(bad, SCHEMA)
    assert column in str(caught.value)


def test_a_missing_column_is_refused_by_name():
    with pytest.raises(PayloadError, match="stage"):
        Table(FRAME.drop(columns="stage"), SCHEMA)


def test_arrow_without_its_schema_is_refused():
    with pytest.raises(PayloadError, match="does not say"):
        Table.from_table(Table(FRAME, SCHEMA).to_table().replace_schema_metadata(None))


def test_a_preview_shows_names_values_and_units():
    shown = Table(FRAME, SCHEMA).preview(0)
    assert shown["rows"] == [["größe", 170.1, "cm"], ["stage", "I", ""], ["drugs", "C07, A10", ""]]
    assert Table(FRAME, SCHEMA).preview(1)["rows"][1] == ["stage", None, ""]
