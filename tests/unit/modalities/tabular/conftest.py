import numpy as np
import pandas as pd
import pytest

from casemix.core.conditions import Conditions
from casemix.core.fields import Schema
from casemix.core.samples import Samples
from casemix.modalities.tabular.data import Table
from casemix.modalities.tabular.generators.trees import Trees
from casemix.modalities.tabular.toy import SCHEMA, toy


@pytest.fixture(scope="session")
def train():
    """600 toy records, to be fitted with their own columns as conditions."""
    data, _ = toy(600, seed=0)
    return data


@pytest.fixture(scope="session")
def trees(train):
    return Trees().fit(train, as_conditions(train.payload.frame, SCHEMA), seed=0)


def as_conditions(frame, schema, prefix="toy-0-"):
    ids = pd.Index([f"{prefix}{i}" for i in range(len(frame))], dtype=object)
    return Conditions.of(frame.set_axis(ids, axis=0), schema)


def nothing(n, prefix="new-"):
    ids = pd.Index([f"{prefix}{i}" for i in range(n)], dtype=object)
    return Conditions(pd.DataFrame({"subject_id": ids, "time": 0.0}, index=ids), Schema())


def samples(frame, schema):
    given = nothing(len(frame), "toy-0-")
    return Samples("tabular", given.rows, Table(frame, schema)), given


def spearman(frame, a, b):
    return float(frame[[a, b]].corr("spearman").to_numpy()[0, 1])


def share(condition):
    return float(np.mean(condition))
