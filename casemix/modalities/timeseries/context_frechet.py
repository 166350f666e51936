"""Context-FID: the Frechet distance of series in the space of a frozen encoder of series."""

from __future__ import annotations

import numpy as np

from casemix.core.metric import EvalData, Score, View
from casemix.evaluation.frechet import frechet_distance
from casemix.modalities.timeseries.arms import Arms, arm
from casemix.modalities.timeseries.profile import Profiler

_SEED = 0
_GROUPS = 10  # of subjects, left out in turn


def context_frechet(
    real: np.ndarray,
    synthetic: np.ndarray,
    *,
    subjects_real: np.ndarray,
    subjects_synthetic: np.ndarray,
) -> tuple[float, tuple[float, float]]:
    """Return the squared Frechet distance of two sets of embeddings, and its 95 % interval.

    The interval is that of a jackknife over ten groups of subjects: a bootstrap repeats subjects,
    and repeated points lie further from any others.

    Args:
        real: (n, d).
        synthetic: (m, d).
        subjects_real: (n,) subject codes 0..s-1.
        subjects_synthetic: (m,).

    Raises:
        EvaluationError: fewer than two series in an arm, or values not finite.

    Reference:
        Jeha et al., PSA-GAN, ICLR 2022 (Context-FID); Efron and Stein, Annals of Statistics 1981.
    """
    value = frechet_distance(real, synthetic)
    without = np.array(
        [
            frechet_distance(
                real[subjects_real % _GROUPS != g], synthetic[subjects_synthetic % _GROUPS != g]
            )
            for g in range(_GROUPS)
        ]
    )
    error = np.sqrt((_GROUPS - 1) / _GROUPS * ((without - without.mean()) ** 2).sum())
    half = float(1.96 * error)
    return value, (max(0.0, value - half), value + half)


def context_fid(data: EvalData, seed: int) -> Score:
    """Score `context_frechet` in the evaluator's embedding; in the details, of summaries too.

    The second encoder is `Profiler`: normal scores of each channel's level, spread, trend and
    recorded share, and of a waveform's rhythm. No outlying series owns a normal score.
    """
    arms = Arms.of(data, seed=seed)
    subjects = {
        "subjects_real": arms.real.subjects,
        "subjects_synthetic": arms.synthetic.subjects,
    }
    vectors = (a.embedding.astype(np.float64) for a in (arms.real, arms.synthetic))
    value, interval = context_frechet(*vectors, **subjects)
    profiler = data.once("timeseries.profiler", _profiler)
    details: dict[str, object] = {
        "series": {"real": len(arms.real.subjects), "synthetic": len(arms.synthetic.subjects)}
    }
    if profiler.width:
        profiles = (profiler.scores(a.series) for a in (arms.real, arms.synthetic))
        other, other_interval = context_frechet(*profiles, **subjects)
        details["second_encoder"] = {
            "name": f"normal scores of {profiler.width} series summaries",
            "value": other,
            "interval": list(other_interval),
        }
    counts = f"{len(arms.real.subjects)} real against {len(arms.synthetic.subjects)} synthetic"
    return Score(value, interval, arms.n, note=f"{data.embedder}; {counts} series", details=details)


def _profiler(view: View) -> Profiler:
    return Profiler.fit(arm(view, seed=_SEED).series)
