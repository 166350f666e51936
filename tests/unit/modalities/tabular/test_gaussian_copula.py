import sys

import numpy as np
import pytest

from casemix.errors import PluginError
from casemix.modalities.tabular.generators.gaussian_copula import GaussianCopula, _conditional
from casemix.modalities.tabular.toy import SCHEMA, toy

from .conftest import as_conditions, spearman


def test_given_columns_stand_and_the_others_follow(train):
    pytest.importorskip("sdv")
    model = GaussianCopula().fit(train, as_conditions(train.payload.frame, SCHEMA), seed=0)
    fresh, _ = toy(200, seed=5)
    asked = as_conditions(fresh.payload.frame, SCHEMA, "new-").pick(["marker", "ward"])
    made = model.generate(asked, seed=1).payload.frame
    assert made["marker"].tolist() == asked.rows["marker"].tolist()
    assert made["ward"].tolist() == asked.rows["ward"].tolist()
    assert spearman(made, "marker", "clearance") < -0.7


def test_scores_given_others_have_their_conditional_distribution():
    correlation = np.array([[1.0, 0.8], [0.8, 1.0]])
    noise = np.random.default_rng(0).normal(size=(20_000, 2))
    known = np.full((20_000, 1), 1.5)
    drawn = _conditional(correlation, np.array([0]), known, noise)
    assert (drawn[:, 0] == 1.5).all()
    assert drawn[:, 1].mean() == pytest.approx(1.2, abs=0.02)
    assert drawn[:, 1].std() == pytest.approx(0.6, abs=0.02)


def test_without_sdv_the_error_names_extra_and_licence(monkeypatch):
    monkeypatch.setitem(sys.modules, "sdv.metadata", None)
    data, given = toy(16)
    with pytest.raises(PluginError, match=r"casemix\[sdv\].*Business Source License"):
        GaussianCopula().fit(data, given, seed=0)
