"""The discriminative score: how often a strong classifier of series tells synthetic from real."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from casemix.core.metric import EvalData, Score, View
from casemix.evaluation.fidelity import HeldOut, held_out_scores
from casemix.evaluation.permutation import permuted_auc, two_sided_p_value
from casemix.evaluation.statistics import FloatArray, auc, bootstrap_rows, percentile_interval
from casemix.modalities.timeseries.arms import FEWEST, MOST, Arm, Arms, arm
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.embed import SeriesEmbedder
from casemix.modalities.timeseries.scaling import resolution

_SEED = 0
_DRAWS = 200
_CELLS = 2**19  # of one arm
_STRETCH = 256  # steps; of longer series the middle is judged


@dataclass(frozen=True)
class Features:
    """MiniRocket features of series, and the grid of values that the real ones lie on.

    Args:
        embedder: with all features in the place of their principal axes.
        origin: of each channel's grid, (c,).
        step: of each channel's grid, (c,); 0 = no grid.
        fitted_on: number of real training series.
    """

    embedder: SeriesEmbedder
    origin: np.ndarray
    step: np.ndarray
    fitted_on: int

    @classmethod
    def fit(cls, view: View) -> Features:
        """Fit on real training records."""
        known = stretched(arm(view, seed=_SEED, most=affordable(view)))
        fitted = SeriesEmbedder.fit(known.series, seed=_SEED)
        whole = replace(fitted, axes=np.eye(len(fitted.centre)))
        step = steps(known.series)
        origin = origins(known.series, step)
        return cls(whole, origin, step, len(known.series))

    def __call__(self, series: Series) -> np.ndarray:
        """Return features, (n, f)."""
        return self.embedder.embed(series)


def affordable(view: View) -> int:
    """Return how many subjects' series are judged at most."""
    _, times, channels = view.samples.payload.values.shape
    return int(np.clip(_CELLS // (min(times, _STRETCH) * channels), FEWEST, MOST))


def stretched(arm: Arm) -> Arm:
    """Return the middle 256 steps of longer series."""
    start = max(0, (arm.values.shape[1] - _STRETCH) // 2)
    return replace(arm, series=arm.series.like(arm.values[:, start : start + _STRETCH]))


def steps(series: Series) -> np.ndarray:
    """Return the distance between two recordable values of each channel, (c,); 0 = none."""
    found = [resolution(series.values[:, :, c]) for c in range(series.values.shape[2])]
    # Single precision shifts a step of 0.1 by so little that nobody can have meant it.
    plain = [float(f"{step:.3g}") for step in found]
    pairs = zip(found, plain, strict=True)
    return np.array([p if abs(p - step) <= 1e-4 * step else step for step, p in pairs])


def origins(series: Series, step: np.ndarray) -> np.ndarray:
    """Return a point of each channel's grid, (c,): 0 where the grid holds it."""
    cells = series.values.reshape(-1, len(step)).astype(np.float64)
    lowest = np.where(np.isnan(cells), np.inf, cells).min(axis=0)
    lowest = np.where(np.isfinite(lowest), lowest, 0.0)
    safe = np.where(step > 0, step, 1.0)
    offset = lowest - np.rint(lowest / safe) * safe
    # Single precision puts 36.6 a little beside 366 steps of 0.1.
    return np.where(np.abs(offset) < 0.01 * safe, 0.0, lowest)


def on_grid(series: Series, origin: np.ndarray, step: np.ndarray) -> Series:
    """Return the series with every value moved to the nearest ``origin + k step`` in its range.

    Args:
        series: n of them, c channels.
        origin: (c,).
        step: (c,); 0 leaves a channel as it is.
    """
    known = step > 0
    safe = np.where(known, step, 1.0)
    moved = origin + np.rint((series.values - origin) / safe) * safe
    ranges = np.array([f.range or (-np.inf, np.inf) for f in series.channels], dtype=np.float32)
    moved = np.clip(moved, ranges[:, 0], ranges[:, 1])
    return series.like(np.where(known, moved, series.values))


@dataclass(frozen=True)
class Discrimination:
    """What a discriminator reached on held-out subjects.

    Attributes:
        score: |balanced accuracy - 1/2|, in [0, 0.5]; 0 is ideal.
        interval: of the score, over subjects.
        auc: area under its ROC curve; 0.5 is ideal.
        p_value: of the AUC, under the null that subjects are exchangeable between the arms.
    """

    score: float
    interval: tuple[float, float]
    auc: float
    p_value: float


def discriminate(
    real: np.ndarray,
    synthetic: np.ndarray,
    *,
    subjects_real: np.ndarray | None = None,
    subjects_synthetic: np.ndarray | None = None,
    seed: int,
) -> Discrimination:
    """Return how well ridge-logistic regression tells two sets of features apart.

    Cross-validated in five folds by subject.

    Args:
        real: (n, f).
        synthetic: (m, f).
        subjects_real: (n,) subject of each series; each its own if None.
        subjects_synthetic: (m,).
        seed: seed of the folds and of the bootstrap.

    Raises:
        EvaluationError: fewer than five subjects in an arm, or features not finite.

    Reference:
        Yoon, Jarrett and van der Schaar, Time-series generative adversarial networks, 2019;
        Dempster, Schmidt and Webb, MiniRocket, KDD 2021.
    """
    held = held_out_scores(
        real,
        synthetic,
        subjects_real=subjects_real,
        subjects_synthetic=subjects_synthetic,
        seed=seed,
        classifier="logistic",
    )
    hits = ((held.scores > 0) == held.arm).astype(np.float64)
    area = auc(held.scores, held.arm)
    null = permuted_auc(held.scores, held.arm, held.subjects, held.fold, seed=seed)
    score = abs(_balanced(hits, held.arm) - 0.5)
    return Discrimination(score, _interval(hits, held, seed), area, two_sided_p_value(area, null))


def discriminative_score(data: EvalData, seed: int) -> Score:
    """Score `discriminate` on MiniRocket features, values on one resolution.

    The coarser of the two arms' grids is taken for both, and the features see nothing of the
    recorded resolution; the score on the values as they are stands in the details.
    """
    whole = Arms.of(data, seed=seed, most=affordable(data.holdout))
    arms = Arms(stretched(whole.real), stretched(whole.synthetic))
    features = data.once("timeseries.discriminator", Features.fit)
    step = np.maximum(features.step, steps(arms.synthetic.series))
    raw = _judge(arms, features, seed)
    gridded = Arms(*(_gridded(a, features, step) for a in (arms.real, arms.synthetic)))
    found = raw if _same(arms, gridded) else _judge(gridded, features, seed)
    width = len(features.embedder.centre)
    note = (
        f"values on one resolution; {width} MiniRocket features and summaries (Dempster 2021), "
        f"fitted on {features.fitted_on} known training series; ridge-logistic regression; "
        f"{arms.real.values.shape[1]} steps of {whole.real.values.shape[1]}; {arms.n} subjects"
    )
    details = {
        "auc": found.auc,
        "p_value": found.p_value,
        "raw_values": {"score": raw.score, "auc": raw.auc, "p_value": raw.p_value},
        "one_resolution": {"score": found.score, "auc": found.auc, "p_value": found.p_value},
        "resolution": dict(zip(arms.names, step.tolist(), strict=True)),
    }
    return Score(found.score, found.interval, arms.n, note=note, details=details)


def _judge(arms: Arms, features: Features, seed: int) -> Discrimination:
    return discriminate(
        features(arms.real.series),
        features(arms.synthetic.series),
        subjects_real=arms.real.subjects,
        subjects_synthetic=arms.synthetic.subjects,
        seed=seed,
    )


def _gridded(arm: Arm, features: Features, step: np.ndarray) -> Arm:
    return replace(arm, series=on_grid(arm.series, features.origin, step))


def _same(arms: Arms, others: Arms) -> bool:
    pairs = ((arms.real, others.real), (arms.synthetic, others.synthetic))
    return all(np.array_equal(a.values, b.values, equal_nan=True) for a, b in pairs)


def _balanced(hits: FloatArray, arm: np.ndarray) -> float:
    return float((hits[arm == 0].mean() + hits[arm == 1].mean()) / 2)


def _interval(hits: FloatArray, held: HeldOut, seed: int) -> tuple[float, float]:
    own = [held.subjects[held.arm == k] for k in (0, 1)]
    first, second = (hits[held.arm == k] for k in (0, 1))
    drawn = zip(
        bootstrap_rows(own[0], seed=seed, repeats=_DRAWS),
        bootstrap_rows(own[1], seed=seed + 1, repeats=_DRAWS),
        strict=True,
    )
    low, high = percentile_interval(
        [(first[a].mean() + second[b].mean()) / 2 - 0.5 for a, b in drawn]
    )
    ends = abs(low), abs(high)
    return (0.0 if low <= 0 <= high else min(ends)), max(ends)
