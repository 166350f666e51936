"""Augmentation: do synthetic records, added to few real ones, make a better model?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from casemix.errors import EvaluationError
from casemix.evaluation.labelled import Labelled
from casemix.evaluation.statistics import Estimate, FloatArray, as_matrix, as_subjects
from casemix.evaluation.statistics import percentile_interval as interval_of
from casemix.evaluation.utility import Measure, Model, Utility, model_for, tstr, unjudgeable

SHARES = (0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class CurvePoint:
    """One size of the real training set.

    Attributes:
        share: share of the real training subjects.
        records: mean number of real training records over the subsets.
        multiple: synthetic records added per real one.
        model: "ridge" or "trees", the same in both arms: what suits the real records alone.
        real: the measure after training on the real records alone.
        augmented: after training on the same real records and all synthetic ones.
        gain: augmented minus real, paired by test subject.
    """

    share: float
    records: float
    multiple: float
    model: Model
    real: Estimate
    augmented: Estimate
    gain: Estimate


@dataclass(frozen=True)
class AugmentationCurve:
    """How a model gains from synthetic records, by the number of real ones.

    Attributes:
        points: one per share, ascending; empty where the measure is undefined.
        synthetic: the measure after training on the synthetic records alone.
        gain: the mean gain over the points; above 0 the synthetic records helped.
        measure: "auroc", "r2", "spearman" or "c_index".
        n: number of real test records.
        note: why there is no curve, or what is suspicious about it; empty if all is well.
    """

    points: tuple[CurvePoint, ...]
    synthetic: Estimate | None
    gain: Estimate | None
    measure: Measure
    n: int
    note: str = ""


def augmentation_curve(
    real: Labelled,
    synthetic: Labelled,
    test: Labelled,
    *,
    measure: Measure = "auroc",
    shares: Sequence[float] = SHARES,
    subsets: int = 3,
    seed: int,
) -> AugmentationCurve:
    """Train on real records alone and with all synthetic ones, test on real held-out records.

    The smaller shares are nested random subsets of the real training subjects, several of them
    averaged. The intervals resample the test subjects only; what the choice of training subjects
    adds is averaged over the subsets but not in the intervals. The ceiling of the gain is what
    equally many other real records give: pass those as ``synthetic``.

    Below the full share the generator has seen training subjects that the real arm has not: that
    gain is what a site with few records of its own has from the data. Only the last point says
    whether the synthetic records add anything for those who hold all of train. Exact copies of
    training records gain as much as real ones below the full share, and about 0 at it.

    Args:
        real: real training records.
        synthetic: the synthetic records to add.
        test: real held-out records.
        measure: "auroc" classifies; "r2" and "spearman" regress; "c_index" predicts survival.
        shares: shares of the real training subjects, each in (0, 1].
        subsets: random subsets per share below 1.
        seed: seed of subsets, models and bootstrap.

    Raises:
        EvaluationError: a share outside (0, 1], no subsets, too few records, arrays that do not
            fit together.
    """
    _check(shares, subsets)
    target = np.asarray(test.y)
    if reason := unjudgeable(target, measure):
        return AugmentationCurve((), None, None, measure, len(target), reason)
    trial = _Trial(real, synthetic, test, measure, seed)
    points, gains = [], []
    for share in sorted(set(shares)):
        point, draws = trial.at(share, subsets if share < 1 else 1)
        points.append(point)
        gains.append(draws)
    whole = model_for(as_matrix(real.x, "real features", nan=True).shape)
    alone = trial.train(synthetic, whole)
    above = trial.train(real, whole)
    return AugmentationCurve(
        tuple(points),
        _estimate([alone]),
        _mean([point.gain.value for point in points], np.mean(gains, axis=0), len(target)),
        measure,
        len(target),
        "; ".join(filter(None, (alone.note, _suspicion(alone, above)))),
    )


@dataclass(frozen=True)
class _Trial:
    real: Labelled
    synthetic: Labelled
    test: Labelled
    measure: Measure
    seed: int

    def at(self, share: float, subsets: int) -> tuple[CurvePoint, FloatArray]:
        """Return the curve's point and the bootstrap draws of its gain, (repeats,)."""
        chosen = [self._subset(share, k) for k in range(subsets)]
        records = float(np.mean([len(np.asarray(part.y)) for part in chosen]))
        kind = model_for((round(records), np.asarray(self.real.x).shape[1]))
        alone = [self.train(part, kind) for part in chosen]
        both = [self.train(part + self.synthetic, kind) for part in chosen]
        left, right = _estimate(alone), _estimate(both)
        draws = np.mean([u.draws for u in both], axis=0) - np.mean([u.draws for u in alone], axis=0)
        gain = _mean([right.value - left.value], draws, left.n)
        multiple = len(np.asarray(self.synthetic.y)) / records
        return CurvePoint(share, records, multiple, kind, left, right, gain), draws

    def train(self, part: Labelled, kind: Model) -> Utility:
        return tstr(
            part.x,
            part.y,
            self.test.x,
            self.test.y,
            measure=self.measure,
            model=kind,
            test_subjects=self.test.subjects,
            seed=self.seed,
        )

    def _subset(self, share: float, k: int) -> Labelled:
        codes = as_subjects(self.real.subjects, len(np.asarray(self.real.y)))
        count = int(codes.max()) + 1
        order = np.random.default_rng([self.seed, k]).permutation(count)
        kept = order[: max(2, round(share * count))]
        return self.real.take(np.flatnonzero(np.isin(codes, kept)))


def _check(shares: Sequence[float], subsets: int) -> None:
    if not shares or not all(0 < share <= 1 for share in shares):
        raise EvaluationError(
            "The shares of the real training subjects are out of range.",
            given=list(shares),
            allowed="one or more numbers in (0, 1]",
        )
    if subsets < 1:
        raise EvaluationError("There is no subset to train on.", given=subsets, allowed=">= 1")


def _suspicion(synthetic: Utility, real: Utility) -> str:
    """Say so where synthetic records alone train clearly better models than all real ones."""
    low = interval_of(np.asarray(synthetic.draws) - np.asarray(real.draws))[0]
    if low <= 0:
        return ""
    return (
        "synthetic records alone train a better model than all real ones: "
        "look for copies of other real records, or for caricatured labels"
    )


def _estimate(found: Sequence[Utility]) -> Estimate:
    draws = np.mean([u.draws for u in found], axis=0)
    return _mean([u.value for u in found if u.value is not None], draws, found[0].n)


def _mean(values: Sequence[float], draws: FloatArray, n: int) -> Estimate:
    return Estimate(float(np.mean(values)), interval_of(draws), n)
