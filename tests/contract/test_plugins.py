"""The contract, run over every registered plugin without being told about any of them."""

from __future__ import annotations

import pytest

from casemix.core import registry
from casemix.errors import MissingExtraError
from casemix.testing import EVALUATOR_CHECKS, GENERATOR_CHECKS, evaluator_case, fitted

GENERATORS = registry.names("generators")
EVALUATORS = registry.names("evaluators")


def test_every_modality_has_its_floor_its_control_and_its_evaluator():
    assert len(registry.modalities()) == 6
    for modality in registry.modalities():
        assert f"{modality}/marginals" in GENERATORS
        assert f"{modality}/copy_training" in GENERATORS
        assert f"{modality}/standard" in EVALUATORS
        assert sum(name.startswith(f"{modality}/") for name in GENERATORS) >= 4


@pytest.mark.parametrize("check", GENERATOR_CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("name", GENERATORS)
def test_generator(name, check, tmp_path):
    try:
        case = fitted(registry.load("generators", name))
    except MissingExtraError as error:
        pytest.skip(str(error))
    check(case, tmp_path)


@pytest.mark.parametrize("check", EVALUATOR_CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("name", EVALUATORS)
def test_evaluator(name, check, tmp_path):
    check(evaluator_case(registry.load("evaluators", name)), tmp_path)
