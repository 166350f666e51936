"""Rare levels become `other` where a column has it, and nowhere else."""

from __future__ import annotations

import pandas as pd

from casemix.core.fields import Field, Kind, Schema
from casemix.modalities.relational.data import ROOT, LinkedTables
from casemix.modalities.relational.pooled_levels import pooled
from casemix.modalities.relational.table_form import TableForm

WITH = Field("code", Kind.CATEGORICAL, levels=("common", "rare", "other"))
WITHOUT = Field("ward", Kind.CATEGORICAL, levels=("common", "rare"))
FORM = TableForm("problems", Schema((WITH, WITHOUT)))


def test_a_level_of_four_subjects_becomes_other_however_many_rows_it_has():
    item = [0, 1, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9]
    level = ["rare"] * 6 + ["common"] * 5 + [None]
    frame = pd.DataFrame({"item": item, "row": range(12), "parent": ROOT, "code": level})
    tables = LinkedTables((FORM,), {"problems": frame.assign(ward=level)}, 10)
    after = pooled(tables).frames["problems"]
    assert after["code"].tolist() == ["other"] * 6 + ["common"] * 5 + [None]
    assert after["ward"].tolist() == level
