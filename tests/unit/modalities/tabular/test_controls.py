import numpy as np
import pytest

from casemix.modalities.tabular.generators.copy_training import CopyTraining
from casemix.modalities.tabular.generators.marginals import Marginals
from casemix.modalities.tabular.toy import SCHEMA, toy

from .conftest import as_conditions, nothing, share, spearman


def test_marginals_keep_columns_and_lose_dependence(train):
    given = as_conditions(train.payload.frame, SCHEMA)
    made = Marginals().fit(train, given, seed=0).generate(nothing(600), seed=1).payload.frame
    real = train.payload.frame
    assert share(made["stage"] == "I") == pytest.approx(share(real["stage"] == "I"), abs=0.07)
    assert made["marker"].median() == pytest.approx(real["marker"].median(), rel=0.2)
    assert abs(spearman(made, "marker", "clearance")) < 0.15


def test_copies_are_training_rows_near_the_conditions():
    data, given = toy(300)
    model = CopyTraining().fit(data, given, seed=0)
    _, asked = toy(50, seed=9)
    made = model.generate(asked, seed=1).payload.frame
    rows = {tuple(row) for row in data.payload.frame.astype(str).to_numpy()}
    assert {tuple(row) for row in made.astype(str).to_numpy()} <= rows
    level = made["stage"].map({"I": 0, "II": 1, "III": 2}).to_numpy()
    assert np.corrcoef(level, asked.rows["severity"])[0, 1] > 0.8


def test_copies_without_conditions_are_spread_over_the_training_rows():
    data, given = toy(40)
    made = CopyTraining().fit(data, given, seed=0).generate(nothing(400), seed=1).payload.frame
    assert made.drop_duplicates().shape[0] >= 38


@pytest.mark.parametrize("plugin", [Marginals, CopyTraining])
def test_controls_say_what_they_are_and_keep_given_cells(plugin, train):
    assert plugin.control
    given = as_conditions(train.payload.frame, SCHEMA)
    asked = as_conditions(train.payload.frame.iloc[:20], SCHEMA, "new-").pick(["stage"])
    made = plugin().fit(train, given, seed=0).generate(asked, seed=1).payload.frame
    assert made["stage"].tolist() == asked.rows["stage"].tolist()
