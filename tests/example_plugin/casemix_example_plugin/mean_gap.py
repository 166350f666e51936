"""An example of a metric from another package: how far the mean of the embedding lies off."""

from __future__ import annotations

import numpy as np

from casemix.core.metric import EvalData, Family, Goal, Metric, Score
from casemix.evaluation.statistics import bootstrap_rows, percentile_interval


def mean_gap(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Return the distance of the means of (n, d) and (m, d), over the root of d."""
    return float(np.linalg.norm(real.mean(0) - synthetic.mean(0)) / np.sqrt(real.shape[1]))


def _mean_gap(data: EvalData, seed: int) -> Score:
    real, made = data.holdout, data.synthetic
    samples = zip(
        bootstrap_rows(real.samples.subject_ids, seed=seed),
        bootstrap_rows(made.samples.subject_ids, seed=seed + 1),
        strict=True,
    )
    draws = [mean_gap(real.embedding[a], made.embedding[b]) for a, b in samples]
    value = mean_gap(real.embedding, made.embedding)
    n = min(len(set(v.samples.subject_ids)) for v in (real, made))
    return Score(value, percentile_interval(draws), n, note=data.embedder)


MEAN_GAP = Metric(
    "mean_gap",
    Family.FIDELITY,
    Goal.MINIMISE,
    (0, float("inf")),
    _mean_gap,
    control="",  # independent columns keep their means
    description="Distance of the means of real and synthetic embeddings; blind to all else.",
)
