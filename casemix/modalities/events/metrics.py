"""What is measured on event streams beyond the shared metrics."""

from __future__ import annotations

import numpy as np

from casemix.core.metric import Family, Goal, Metric
from casemix.evaluation import events
from casemix.modalities.events import scores

_ONLY = frozenset({"events"})

METRICS: tuple[Metric, ...] = (
    Metric(
        "code_prevalence_r2",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (-np.inf, 1),
        scores.explained(events.code_prevalence),
        control="",
        description="R2 of synthetic against real shares of subjects with each code (HALO, "
        "Theodorou 2023). Frequent codes own it: the details slice it by rank.",
        modalities=_ONLY,
    ),
    Metric(
        "code_pair_r2",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (-np.inf, 1),
        scores.explained(events.code_pairs),
        description="R2 of the shares of visits with both codes of a pair (HALO). High values do "
        "not mean that single records are consistent.",
        modalities=_ONLY,
    ),
    Metric(
        "code_bigram_r2",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (-np.inf, 1),
        scores.explained(events.code_bigrams),
        description="R2 of the shares of consecutive visits with one code in the earlier and "
        "another in the later one (HALO, sequential visit bigrams).",
        modalities=_ONLY,
    ),
    Metric(
        "visit_gap_distance",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        scores.distance(events.visit_gaps, "log hours"),
        control="",
        description="Kolmogorov-Smirnov distance of the log hours between a subject's consecutive "
        "times; Wasserstein distance in the details. Blind to their order.",
        modalities=_ONLY,
    ),
    Metric(
        "visit_count_distance",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        scores.distance(scores.visits, "visits"),
        control="",
        description="Kolmogorov-Smirnov distance of the numbers of different times per subject.",
        modalities=_ONLY,
    ),
    Metric(
        "code_count_distance",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        scores.distance(scores.codes_per_visit, "codes"),
        control="",
        description="Kolmogorov-Smirnov distance of the numbers of events per time.",
        modalities=_ONLY,
    ),
    Metric(
        "value_distance",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        scores.value_distance,
        control="",
        description="Mean over the codes of the Kolmogorov-Smirnov distance of their values; 0 is "
        "ideal. Blind to whose values they are: independent events pass.",
        modalities=_ONLY,
    ),
    Metric(
        "broken_rules",
        Family.CONSTRAINTS,
        Goal.MINIMISE,
        (0, np.inf),
        scores.broken_rules,
        description="Broken rules per event: after death, closed unopened, opened twice, values "
        "that a code never (or always) has, repeated at one time. Rules are learnt from training "
        "streams, which may break them at times; kinds in the details.",
        modalities=_ONLY,
    ),
    Metric(
        "novelty_distance",
        Family.DIVERSITY,
        Goal.MINIMISE,
        (0, 1),
        scores.novelty_distance,
        control="copy_training",
        ceiling="holdout",
        description="Distance from held-out histories of the share of runs of 6 events that no "
        "training history has; 0 is ideal. Copies have none, noise has nothing else.",
        modalities=_ONLY,
    ),
    Metric(
        "copied_run_ratio",
        Family.PRIVACY,
        Goal.MINIMISE,
        (0, np.inf),
        scores.copied_run_ratio,
        control="copy_training",
        ceiling="holdout",
        description="Mean longest run of codes shared with one training history, over that of "
        "held-out histories; 1 is what new patients have, more is copying. Values and gaps do not "
        "count, so that 1 does not mean private.",
        modalities=_ONLY,
    ),
)
