"""Columns that follow from another one are found where enough subjects show it, and only there."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.core.fields import Field, Kind, Schema
from casemix.modalities.relational.determined import find, settle

N = 60
OWNERS = np.arange(N) % 20
DRUGS = ("aspirin", "heparin", "insulin")
SCHEMA = Schema(
    (Field("price", Kind.NUMERIC), Field("drug", Kind.CATEGORICAL, levels=(*DRUGS, "rare")))
)
WARD = Schema((Field("ward", Kind.CATEGORICAL, levels=("east", "west")),))
DRUG = np.array(DRUGS, dtype=object)[np.arange(N) // 20]
GIVEN = pd.DataFrame({"ward": np.where(np.arange(N) % 3 == 0, "east", "west")})


def rows(price):
    return pd.DataFrame({"price": price, "drug": DRUG})


def found(price, drug=DRUG, owners=OWNERS):
    frame = pd.DataFrame({"price": price, "drug": drug})
    return {c.target: c for c in find(frame, SCHEMA, GIVEN, WARD, owners)}


def test_a_price_follows_from_the_drug_and_a_missing_one_too():
    price = np.select([DRUG == "aspirin", DRUG == "heparin"], [1.5, 20.0], np.nan)
    column = found(price)["price"]
    assert column.source == "drug"
    assert column.cells == {"aspirin": 1.5, "heparin": 20.0, "insulin": None}
    wrong = rows(np.arange(float(N)))
    assert settle((column,), wrong, GIVEN)["price"].tolist()[::20][:2] == [1.5, 20.0]
    assert settle((column,), wrong, GIVEN)["price"].isna().sum() == 20


def test_levels_that_do_not_determine_are_left_alone():
    price = np.where(DRUG == "aspirin", 1.5, np.arange(float(N)))
    column = found(price)["price"]
    assert list(column.cells) == ["aspirin"]
    kept = settle((column,), rows(price), GIVEN)["price"]
    assert kept.tolist() == price.tolist()


def test_what_four_subjects_have_determines_nothing():
    price = np.select([DRUG == "aspirin", DRUG == "heparin"], [1.5, 20.0], np.arange(float(N)))
    few = np.where(DRUG == "aspirin", OWNERS % 4, OWNERS)
    assert list(found(price, owners=few)["price"].cells) == ["heparin"]


def test_agreement_by_chance_determines_nothing():
    price = np.where(np.arange(N) == 59, 2.0, 1.0)
    assert "price" not in found(price)


def test_a_column_may_follow_from_what_it_is_given():
    drug = np.where(GIVEN["ward"] == "east", "aspirin", "heparin").astype(object)
    column = found(np.arange(float(N)), drug=drug)["drug"]
    assert column.source == "ward"
    assert column.cells == {"east": "aspirin", "west": "heparin"}
