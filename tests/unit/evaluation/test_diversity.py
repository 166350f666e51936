from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from casemix.errors import EvaluationError
from casemix.evaluation.diversity import support_overlap


def cloud(n: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, size=(n, 5))


def test_equal_distributions_overlap():
    found = support_overlap(cloud(400, 0), cloud(400, 1))
    assert found.precision > 0.75
    assert found.recall > 0.75
    assert found.density == pytest.approx(1.0, abs=0.15)
    assert found.coverage > 0.9


def test_agrees_with_a_reference_on_other_neighbours():
    real, made, k = cloud(80, 0), cloud(60, 1, 0.5), 5
    radius = NearestNeighbors(n_neighbors=k + 1).fit(real).kneighbors(real)[0][:, -1]
    inside = np.linalg.norm(real[:, None] - made[None], axis=-1) < radius[:, None]
    found = support_overlap(real, made)
    assert found.precision == pytest.approx(inside.any(axis=0).mean())
    assert found.density == pytest.approx(inside.sum() / (k * 60))
    assert found.coverage == pytest.approx(inside.any(axis=1).mean())


def test_mode_collapse_keeps_precision_and_loses_recall_and_coverage():
    real = cloud(300, 0)
    collapsed = 0.05 * cloud(300, 1)
    found = support_overlap(real, collapsed)
    assert found.precision > 0.95
    assert found.recall < 0.1
    assert found.coverage < 0.3


def test_all_parts_worsen_with_the_shift():
    real = cloud(200, 0)
    steps = [support_overlap(real, cloud(200, 1, s)) for s in (0, 1, 2.5)]
    for part in ("precision", "recall", "density", "coverage"):
        values = [getattr(step, part) for step in steps]
        assert values == sorted(values, reverse=True)


def test_fewer_rows_than_neighbours_are_an_error():
    with pytest.raises(EvaluationError, match="too few rows"):
        support_overlap(cloud(5, 0), cloud(50, 1), k=5)


def test_different_widths_are_an_error():
    with pytest.raises(EvaluationError, match="columns"):
        support_overlap(cloud(20, 0), cloud(20, 1)[:, :3])
