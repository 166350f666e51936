"""Linkage: do two modalities of a synthetic subject belong to one person?

The estimator, for a pair of views (a, b) with one row per subject:

1. A critic s(a, b) is fitted on real *training* pairs only, and scores all n x n pairs of an arm.
2. The arm's AUC is the chance that a subject's own pair outscores a pair with one side exchanged::

       AUC = P(s(a_i, b_i) > s(a_i, b_j)) / 2 + P(s(a_j, b_j) > s(a_i, b_j)) / 2,  j in N(i)

   over all others (`link`) or over subjects of nearly equal recorded context (`patient_link`).
   All exchanges are counted, so no permutation noise is left; an uninformative critic gives 0.5.
3. Each arm has its own floor: the same AUC after b has been permuted (within N for
   `patient_link`), leaving out comparisons that would meet the true partner. It is 0.5 up to what
   inexact context matching leaves.
4. With X and F_X of the synthetic cohort, C and F_C of real held-out subjects::

       link = (X - F_X) / (C - F_C)

   0: as if shuffled; 1: as linked as real data; above 1 with its interval: over-coupled. It is
   undefined where the interval of C - F_C holds 0: then real data show no link to compare with.

For `patient_link` the views are replaced by their residuals given the context, taken in each arm
by itself, and the critic learns from residuals too. A generator that knows nothing but labels
then scores about 0, also if it exaggerates what labels imply. The limit: where context acts through
interactions and bends that n subjects cannot pin down, and the real patient link is weak, part of
the context stays in the residuals and the score is too high; more subjects lower it.
Intervals resample the held-out and the synthetic subjects on both sides of each pair; the critic
is held fixed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from casemix.errors import EvaluationError
from casemix.evaluation.context import (
    context_neighbours,
    permute_all,
    permute_within,
    residualise,
)
from casemix.evaluation.critic import Critic, check_paired, fit_critic
from casemix.evaluation.hsic import hsic
from casemix.evaluation.matched_pairs import FEWEST, Arm, matched_auc, measure_arm
from casemix.evaluation.statistics import (
    Estimate,
    FloatArray,
    as_matrix,
    percentile_interval,
)
from casemix.evaluation.utility import Measure, Utility, tstr

__all__ = [
    "Arm",
    "Critic",
    "Link",
    "Pairs",
    "context_neighbours",
    "context_recovery",
    "fit_critic",
    "hsic",
    "link",
    "link_reference",
    "link_score",
    "matched_auc",
    "measure_arm",
    "patient_link",
    "patient_reference",
    "permute_all",
    "permute_within",
    "residualise",
]


@dataclass(frozen=True)
class Pairs:
    """Two views of the same subjects, and the recorded context; row i is subject i throughout.

    Attributes:
        first: (n, d_a) finite numbers.
        second: (n, d_b) finite numbers.
        context: (n, c) recorded context as finite numbers, categories one-hot; for `patient_link`.
        groups: (n,) labels that exchanged subjects must share, such as the diagnosis; optional.
    """

    first: FloatArray
    second: FloatArray
    context: FloatArray | None = None
    groups: npt.NDArray | None = None


@dataclass(frozen=True)
class Link:
    """Linkage of a synthetic cohort relative to real held-out subjects.

    Attributes:
        value: (X - F_X) / (C - F_C); None where undefined.
        interval: bootstrap interval, or None with the value.
        synthetic: X with its interval.
        ceiling: C with its interval.
        floor: (F_X, F_C), the permuted controls.
        over_coupled: whether the whole interval lies above 1.
        reason: why the value is undefined, else empty.
    """

    value: float | None
    interval: tuple[float, float] | None
    synthetic: Estimate
    ceiling: Estimate
    floor: tuple[float, float]
    over_coupled: bool
    reason: str = ""


def link(train: Pairs, holdout: Pairs, synthetic: Pairs, *, seed: int, repeats: int = 200) -> Link:
    """Return how strongly two views are tied, labels and other context included.

    Args:
        train: real training subjects, for the critic.
        holdout: real subjects that nothing was fitted on.
        synthetic: generated subjects, best as many as in ``holdout``.
        seed: seed of folds, permutations and bootstrap.
        repeats: bootstrap samples.

    Raises:
        EvaluationError: too few subjects (30 to train, 20 per arm), rows that do not pair, or
            values not finite.
    """
    return link_reference(train, holdout, seed=seed, repeats=repeats).judge(synthetic)


def patient_link(
    train: Pairs, holdout: Pairs, synthetic: Pairs, *, seed: int, repeats: int = 200
) -> Link:
    """Return how strongly two views are tied beyond the recorded context.

    Arguments and errors as for `link`; ``context`` is needed throughout. See the module's
    docstring for the estimator.
    """
    return patient_reference(train, holdout, seed=seed, repeats=repeats).judge(synthetic)


@dataclass(frozen=True)
class Reference:
    """What real subjects show of a link; any number of synthetic arms is held against it.

    Attributes:
        critic: fitted to real training subjects.
        real: the arm of held-out subjects.
        beyond_context: whether views are residuals given the context.
        seed: seed of permutations and bootstrap.
        repeats: bootstrap samples.
    """

    critic: Critic
    real: Arm
    beyond_context: bool
    seed: int
    repeats: int

    def judge(self, synthetic: Pairs) -> Link:
        """Return the link of synthetic subjects."""
        arm = _arm(self.critic, synthetic, self.beyond_context, self.seed, self.repeats)
        return link_score(arm, self.real)


def link_reference(train: Pairs, holdout: Pairs, *, seed: int, repeats: int = 200) -> Reference:
    """Return what `link` holds synthetic subjects against; arguments and errors as there."""
    critic = fit_critic(train.first, train.second, seed=seed)
    real = _arm(critic, holdout, False, seed + 1, repeats)
    return Reference(critic, real, beyond_context=False, seed=seed, repeats=repeats)


def patient_reference(train: Pairs, holdout: Pairs, *, seed: int, repeats: int = 200) -> Reference:
    """Return what `patient_link` holds synthetic subjects against; see there."""
    critic = fit_critic(*_residual_views(train), seed=seed)
    real = _arm(critic, holdout, True, seed + 1, repeats)
    return Reference(critic, real, beyond_context=True, seed=seed, repeats=repeats)


def _arm(critic: Critic, pairs: Pairs, beyond_context: bool, seed: int, repeats: int) -> Arm:
    if beyond_context:
        near = context_neighbours(_context(pairs), groups=pairs.groups)
        scores = critic.scores(*_residual_views(pairs))
        return measure_arm(scores, near, seed=seed, repeats=repeats)
    scores = critic.scores(*_views(pairs))
    others = ~np.eye(len(scores), dtype=bool)
    return measure_arm(scores, others, seed=seed, repeats=repeats)


def link_score(synthetic: Arm, real: Arm) -> Link:
    """Return the link of a synthetic arm relative to real held-out subjects."""
    gained, possible = synthetic.auc - synthetic.floor, real.auc - real.floor
    gained_draws = synthetic.draws - synthetic.floor_draws
    possible_draws = real.draws - real.floor_draws
    found = Estimate(synthetic.auc, percentile_interval(synthetic.draws), synthetic.n)
    ceiling = Estimate(real.auc, percentile_interval(real.draws), real.n)
    floor = (synthetic.floor, real.floor)
    # Written so that an undefined (NaN) bound also counts as "not clear of 0".
    if not percentile_interval(possible_draws)[0] > 0:
        reason = "real held-out pairs show no link that is clear of chance"
        return Link(None, None, found, ceiling, floor, over_coupled=False, reason=reason)
    usable = possible_draws > 0
    ratios = gained_draws[usable] / possible_draws[usable]
    interval = percentile_interval(ratios)
    return Link(gained / possible, interval, found, ceiling, floor, interval[0] > 1)


def context_recovery(
    train_view: npt.ArrayLike,
    train_context: npt.ArrayLike,
    view: npt.ArrayLike,
    context: npt.ArrayLike,
    *,
    measure: Measure = "auroc",
    seed: int,
) -> Utility:
    """Return how well a model of real training subjects reads the context out of a view.

    Apply it to synthetic subjects with the context that they were asked for, and to real held-out
    subjects as the ceiling. See `casemix.evaluation.utility.tstr` for shapes, measures and errors.
    """
    return tstr(train_view, train_context, view, context, measure=measure, seed=seed)


def _views(pairs: Pairs) -> tuple[FloatArray, FloatArray]:
    first = as_matrix(pairs.first, "the first view", rows=FEWEST)
    second = as_matrix(pairs.second, "the second view", rows=FEWEST)
    check_paired(first, second)
    return first, second


def _residual_views(pairs: Pairs) -> tuple[FloatArray, FloatArray]:
    first, second = _views(pairs)
    context = _context(pairs)
    if pairs.groups is not None:
        labels = pd.get_dummies(pd.Series(pairs.groups).astype(str)).to_numpy(dtype=np.float64)
        context = np.concatenate([context, labels], axis=1)
    left = residualise(np.concatenate([first, second], axis=1), context)  # one set of kernels
    return left[:, : first.shape[1]], left[:, first.shape[1] :]


def _context(pairs: Pairs) -> FloatArray:
    if pairs.context is None:
        raise EvaluationError(
            "patient_link needs the recorded context of every subject.",
            given="Pairs without context",
            next_step="Fill Pairs.context, or use link().",
        )
    return as_matrix(pairs.context, "the context", rows=FEWEST)
