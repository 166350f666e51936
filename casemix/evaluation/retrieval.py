"""Retrieval: how well one view finds its partner among a gallery of other subjects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import hypergeom

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import FloatArray


@dataclass(frozen=True)
class Retrieval:
    """How well one view finds its partner among a gallery.

    Attributes:
        recall: share of subjects whose partner is among the first k; chance is k / gallery.
        median_rank: median expected rank of the partner; chance is (gallery + 1) / 2.
        k: length of the list.
        gallery: candidates per query, the partner included.
    """

    recall: float
    median_rank: float
    k: int
    gallery: int


def retrieval(scores: FloatArray, *, k: int = 5, gallery: int = 50, seed: int) -> Retrieval:
    """Return recall@k and the median rank of the partner at a fixed gallery size.

    Averages exactly over all galleries that hold the partner and ``gallery - 1`` other subjects,
    so that cohorts of different size compare. Ties are broken at random.

    Args:
        scores: (n, n) from `Critic.scores`; row i looks for column i.
        k: length of the list, below ``gallery``.
        gallery: candidates per query.
        seed: seed of the tie breaks.

    Raises:
        EvaluationError: fewer subjects than the gallery holds, or k not in 1..gallery.
    """
    n = len(scores)
    if not 1 <= k <= gallery <= n:
        raise EvaluationError(
            "The gallery does not fit the cohort.",
            given=f"k {k}, gallery {gallery}, {n} subjects",
            allowed="1 <= k <= gallery <= subjects",
            next_step="Take a smaller gallery.",
        )
    own = np.diag(scores)[:, None]
    tied = (scores == own).sum(axis=1) - 1
    better = (scores > own).sum(axis=1) + np.random.default_rng(seed).integers(tied + 1)
    # Of the n - 1 others, `better` outrank the partner; gallery - 1 of them are drawn.
    found = hypergeom.cdf(k - 1, n - 1, better, gallery - 1)
    ranks = 1 + better * (gallery - 1) / (n - 1)
    return Retrieval(float(found.mean()), float(np.median(ranks)), k, gallery)
