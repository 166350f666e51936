"""casemix: linked synthetic patients, and the proof of how good they are.

Importing this package loads nothing heavy: the public names below load on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from casemix.core.cohort import Cohort
    from casemix.core.conditions import Conditions
    from casemix.core.fields import Field, Kind, Schema
    from casemix.core.generator import Generator
    from casemix.core.linked import LinkedModel
    from casemix.core.metric import EvalData, Metric, Score
    from casemix.core.samples import Samples

__version__ = "0.1.0"

_HOME = {
    "Cohort": "cohort",
    "Conditions": "conditions",
    "EvalData": "metric",
    "Evaluator": "evaluator",
    "Field": "fields",
    "Generator": "generator",
    "Kind": "fields",
    "LinkedModel": "linked",
    "Metric": "metric",
    "Samples": "samples",
    "Schema": "fields",
    "Score": "metric",
}

__all__ = [
    "Cohort",
    "Conditions",
    "EvalData",
    "Evaluator",
    "Field",
    "Generator",
    "Kind",
    "LinkedModel",
    "Metric",
    "Samples",
    "Schema",
    "Score",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'casemix' has no attribute '{name}'")
    return getattr(importlib.import_module(f"casemix.core.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
