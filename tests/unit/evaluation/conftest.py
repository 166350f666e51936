"""Linked cohorts whose coupling beyond the context is known by construction."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from casemix.evaluation.linkage import Pairs

DIMS, CONTEXT, LATENT = 16, 5, 3


def make_cohort(n: int, *, coupling: float, seed: int, label: float = 1.0) -> Pairs:
    """Two views of context and a latent; ``coupling`` is the latents' correlation.

    ``label`` exaggerates what the context implies.
    """
    world = np.random.default_rng(2024)
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, n)
    context = rng.normal(size=(n, CONTEXT))
    context[:, 0] = group
    context[:, 1] = rng.random(n) < 0.5
    latent = rng.normal(size=(n, LATENT))
    other = coupling * latent + np.sqrt(1 - coupling**2) * rng.normal(size=(n, LATENT))
    views = []
    for hidden in (latent, other):
        from_context = context @ world.normal(size=(CONTEXT, DIMS)) / np.sqrt(CONTEXT)
        from_hidden = hidden @ world.normal(size=(LATENT, DIMS)) / np.sqrt(LATENT)
        bent = from_context + 0.5 * np.tanh(2 * from_context)
        views.append(label * bent + from_hidden + 0.7 * rng.normal(size=(n, DIMS)))
    return Pairs(views[0], views[1], context, group)


def shuffle_links(pairs: Pairs, seed: int) -> Pairs:
    """The shuffled-link control: second views go to other subjects."""
    order = np.random.default_rng(seed).permutation(len(pairs.second))
    return Pairs(pairs.first, pairs.second[order], pairs.context, pairs.groups)


@pytest.fixture(scope="session")
def cohort() -> Callable[..., Pairs]:
    return make_cohort


@pytest.fixture(scope="session")
def shuffled() -> Callable[[Pairs, int], Pairs]:
    return shuffle_links


def people(n: int, seed: int) -> np.ndarray:
    """Return records of ten correlated columns, (n, 10), the same population for every seed."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 10)) @ np.random.default_rng(99).normal(size=(10, 10))
