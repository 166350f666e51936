"""Levels that few subjects have are replaced in proportion to the common ones."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.core.fields import Field, Kind, Schema
from casemix.modalities.relational.common_levels import common_levels

SCHEMA = Schema((Field("code", Kind.CATEGORICAL, levels=("often", "seldom", "rare", "other")),))


def test_a_level_of_four_subjects_goes_however_many_rows_it_has():
    rows = pd.DataFrame({"code": ["rare"] * 300 + ["often"] * 300 + ["seldom"] * 100 + [None]})
    owners = np.concatenate([np.arange(300) % 4, np.arange(401)])
    shown = common_levels(rows, SCHEMA, owners, seed=0)["code"]
    assert 0.65 < (shown[:300] == "often").mean() < 0.85
    assert set(shown[:300]) == {"often", "seldom"}
    assert shown[300:].fillna("").equals(rows["code"][300:].fillna(""))


def test_a_column_without_a_common_level_is_left_to_the_generator():
    rows = pd.DataFrame({"code": ["rare", "other", "rare"]})
    assert common_levels(rows, SCHEMA, np.arange(3), seed=0).equals(rows)
