"""What every evaluator must do: one function per promise of the contract."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from casemix.core import registry
from casemix.core.evaluator import Evaluator
from casemix.core.samples import Samples
from casemix.testing.generator_checks import Toy


@dataclass(frozen=True)
class EvaluatorCase:
    """An evaluator fitted on toy data, and fresh toy data of the same kind."""

    plugin: type[Evaluator]
    evaluator: Evaluator
    train: Samples
    fresh: Samples


@cache
def evaluator_case(plugin: type[Evaluator], toy: Toy | None = None) -> EvaluatorCase:
    """Return the evaluator fitted on its modality's toy data (once per class)."""
    make = toy or importlib.import_module(f"casemix.modalities.{plugin.modality}.toy").toy
    train, _ = make(64, seed=0)
    fresh, _ = make(32, seed=1)
    return EvaluatorCase(plugin, plugin().fit(train, seed=0), train, fresh)


def declares_itself(case: EvaluatorCase, tmp_path: Path) -> None:
    """The modality is known and the embedder is named."""
    assert case.plugin.modality in registry.modalities()
    assert len(case.plugin.embedder) > 5


def findings_fit_their_schema(case: EvaluatorCase, tmp_path: Path) -> None:
    """Findings are typed, dotted with the modality, one row per sample, in order."""
    schema = case.evaluator.findings_schema
    found = case.evaluator.findings(case.fresh)
    assert len(schema) > 0
    assert all(name.startswith(f"{case.plugin.modality}.") for name in schema.names)
    assert list(found.index) == list(case.fresh.sample_ids)
    assert tuple(found.columns) == schema.names
    assert schema.coerce(found).equals(found)


def embeds_each_sample_alone(case: EvaluatorCase, tmp_path: Path) -> None:
    """Vectors are finite, and a sample's vector does not depend on the other samples."""
    vectors = case.evaluator.embed(case.fresh)
    assert vectors.shape[0] == len(case.fresh)
    assert np.isfinite(vectors).all()
    assert vectors.std(axis=0).max() > 0
    part = case.evaluator.embed(case.fresh.take([3, 1]))
    assert np.allclose(part, vectors[[3, 1]], atol=1e-4)


def a_saved_evaluator_sees_the_same(case: EvaluatorCase, tmp_path: Path) -> None:
    """``load(save())`` gives the same findings and vectors."""
    case.evaluator.save(tmp_path / "evaluator")
    again = case.plugin.load(tmp_path / "evaluator")
    assert again.findings_schema == case.evaluator.findings_schema
    assert again.findings(case.fresh).equals(case.evaluator.findings(case.fresh))
    assert np.array_equal(again.embed(case.fresh), case.evaluator.embed(case.fresh))


EVALUATOR_CHECKS: tuple[Callable[[EvaluatorCase, Path], None], ...] = (
    declares_itself,
    findings_fit_their_schema,
    embeds_each_sample_alone,
    a_saved_evaluator_sees_the_same,
)
