"""How many children each parent has, given how many the parent before in the same sample has."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.core.fields import Field, Kind, Schema
from casemix.core.generator import Generator
from casemix.modalities.relational.given_part import GivenPart
from casemix.modalities.relational.steps import Parents

_COUNT = Schema((Field("children", Kind.NUMERIC, range=(0, 1e6)),))
_EARLIER = Schema((Field("earlier.count", Kind.NUMERIC),))


def fit_numbers(
    tabular: Generator, counts: np.ndarray, parents: Parents, *, seed: int
) -> GivenPart | None:
    """Return what draws the numbers of children, or None where all parents have the same.

    Args:
        tabular: an unfitted tabular generator.
        counts: the numbers in training, (p,).
        parents: the p parents, those of a sample one after another.
        seed: seed of the fit.
    """
    if len(np.unique(counts)) == 1:
        return None
    asked = _beside(parents, _earlier(parents, counts))
    children = pd.DataFrame({"children": counts.astype(np.float64)})
    given = asked.known, asked.schema
    return GivenPart.fit(tabular, children, _COUNT, given, parents.item, seed=seed)


def draw_numbers(part: GivenPart, parents: Parents, *, seed: int) -> np.ndarray:
    """Return the number of children of each parent, int (p,).

    All are drawn at once given a guess of the number before, then those again whose guess was
    wrong, until none is. As a draw depends on its own parent alone, this is what comes out one
    after another, in a few large draws instead of many small ones.
    """
    rank = pd.Series(parents.item).groupby(parents.item).cumcount().to_numpy()
    counts = np.zeros(len(parents), dtype=int)
    guess = np.full(len(parents), np.nan)
    for done in range(int(rank.max(initial=-1)) + 1):
        earlier = _earlier(parents, counts)
        now = np.flatnonzero((earlier != guess) & (rank >= done))
        if not len(now):
            break
        guess[now] = earlier[now]
        asked = _beside(parents.take(now), earlier[now])
        found = part.draw(asked.known, asked.ids, seed=seed)["children"]
        counts[now] = np.maximum(np.round(found.to_numpy()), 0).astype(int)
    return counts


def _earlier(parents: Parents, counts: np.ndarray) -> np.ndarray:
    """Return how many children the parent before in the same sample has, -1 for the first."""
    shifted = pd.Series(counts, dtype=np.float64).groupby(parents.item).shift()
    return shifted.fillna(-1).to_numpy()


def _beside(parents: Parents, earlier: np.ndarray) -> Parents:
    return parents.joined(pd.DataFrame({"earlier.count": earlier}), _EARLIER)
