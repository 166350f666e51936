"""The contract as a test-suite, shipped for the authors of plugins.

In a test module of your own package::

    import pytest
    from casemix.testing import GENERATOR_CHECKS, fitted
    from mypackage import MyGenerator

    @pytest.mark.parametrize("check", GENERATOR_CHECKS, ids=lambda c: c.__name__)
    def test_contract(check, tmp_path):
        check(fitted(MyGenerator), tmp_path)
"""

from __future__ import annotations

from casemix.testing.evaluator_checks import EVALUATOR_CHECKS, evaluator_case
from casemix.testing.generator_checks import GENERATOR_CHECKS, fitted
from casemix.testing.metric_checks import METRIC_CHECKS, metric_cases

__all__ = [
    "EVALUATOR_CHECKS",
    "GENERATOR_CHECKS",
    "METRIC_CHECKS",
    "evaluator_case",
    "fitted",
    "metric_cases",
]
