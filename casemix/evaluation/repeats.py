"""Repeated seeds: one interval for what changes with the subjects and with the seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import Estimate


@dataclass(frozen=True)
class Repeated(Estimate):
    """The mean of an estimate over seeds.

    Attributes:
        between: standard deviation over the seeds: what one more seed may change.
        values: the estimate of each seed, in the order given.
    """

    between: float
    values: tuple[float, ...]


def over_seeds(estimates: Sequence[Estimate], *, level: float = 0.95) -> Repeated:
    """Return the mean over seeds with an interval for subjects and seeds together.

    The seeds share their real subjects, so the variance from subjects does not shrink with more
    seeds; the variance between seeds does. The interval is mean +- q sqrt(W + B / k), W the mean
    variance that the estimates' intervals imply (as of normal ones, at 95 %), B the variance
    between k seeds, q the t quantile at Satterthwaite's degrees of freedom. Give it estimates of
    one metric at several seeds of the generator (how good is the method?) or of the evaluation
    (how much do folds and subsets matter?).

    Args:
        estimates: one per seed, with 95 % intervals; n must agree.
        level: coverage of the returned interval, in (0, 1).

    Raises:
        EvaluationError: fewer than two seeds, undefined values or intervals, or different n.

    Reference:
        Satterthwaite, Biometrics Bulletin 1946; Bouthillier et al., Accounting for variance in
        machine learning benchmarks, MLSys 2021.
    """
    values = np.array([e.value for e in estimates], dtype=np.float64)
    ends = np.array([e.interval for e in estimates], dtype=np.float64)
    sizes = {e.n for e in estimates}
    if (
        len(values) < 2
        or len(sizes) > 1
        or not (np.isfinite(values).all() and np.isfinite(ends).all())
    ):
        raise EvaluationError(
            "These estimates cannot be averaged over seeds.",
            given=f"{len(values)} values {values.tolist()} at n = {sorted(sizes)}",
            allowed="two or more defined values with intervals, at one n",
        )
    k = len(values)
    within = float(np.mean(((ends[:, 1] - ends[:, 0]) / (2 * norm.ppf(0.975))) ** 2))
    seeds = float(values.var(ddof=1)) / k
    total = within + seeds
    freedom = (k - 1) * (total / seeds) ** 2 if seeds > 0 else np.inf
    half = float(t.ppf((1 + level) / 2, freedom) * np.sqrt(total))
    mean = float(values.mean())
    return Repeated(
        mean,
        (mean - half, mean + half),
        sizes.pop(),
        float(values.std(ddof=1)),
        tuple(values.tolist()),
    )
