"""Metrics of tables: trends of pairs, impossible and incomplete rows, rare levels, events."""

from __future__ import annotations

from casemix.core.metric import Family, Goal, Metric
from casemix.modalities.tabular import scores
from casemix.modalities.tabular.event_metrics import EVENT_METRICS

_ONLY = frozenset({"tabular"})

METRICS = (
    Metric(
        "column_shapes",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (0, 1),
        scores.column_shapes,
        control="",
        description="Column Shapes of sdmetrics: mean of 1 - KS or total-variation distance of "
        "observed cells. To compare with papers: independent columns score as well as real ones.",
        modalities=_ONLY,
    ),
    Metric(
        "pair_trends",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (0, 1),
        scores.pair_trends,
        control="",
        description="Column Pair Trends of sdmetrics: similarity of correlations and contingency "
        "tables. To compare with papers: it bins each table by its own range, so that one largest "
        "value moves it, and two real samples may stay far below 1.",
        modalities=_ONLY,
    ),
    Metric(
        "correlation_difference",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 2),
        scores.correlation_difference,
        description="Root mean square difference of Pearson correlations of numeric columns; "
        "Spearman in the details. Sees straight lines only.",
        modalities=_ONLY,
    ),
    Metric(
        "mutual_information_difference",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        scores.information_difference,
        description="Root mean square difference of normalised mutual information of column pairs, "
        "numbers in 5 quantile bins, missing a level (Vinh 2010). Depends on n.",
        modalities=_ONLY,
    ),
    Metric(
        "alpha_precision",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (0, 1),
        scores.core("precision"),
        control="",
        description="Integrated alpha-precision (Alaa 2022): do synthetic records fill the real "
        "core as real ones do? Balls about one centre: it sees distances, not directions.",
        modalities=_ONLY,
    ),
    Metric(
        "beta_recall",
        Family.DIVERSITY,
        Goal.MAXIMISE,
        (0, 1),
        scores.core("recall"),
        control="",
        description="Integrated beta-recall (Alaa 2022), with balls instead of nearest records, "
        "which favour shrunken clouds. Hardly sees repeated records: read it with coverage.",
        modalities=_ONLY,
    ),
    Metric(
        "impossible_rows",
        Family.CONSTRAINTS,
        Goal.MINIMISE,
        (0, 1),
        scores.impossible_rows,
        description="Share of rows that break what no training row breaks although chance would: "
        "pairs of levels, orders, functions, ranges, resolution. Real rows break a few: see the "
        "ceiling. Few training rows give few rules.",
        modalities=_ONLY,
    ),
    Metric(
        "missing_pattern_distance",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        scores.missing_patterns,
        control="",
        description="Total variation distance of which cells of a row are missing; patterns of "
        "less than 1 % of the real rows share one. Needs many subjects: at 120, independent "
        "columns pass.",
        modalities=_ONLY,
    ),
    Metric(
        "co_missingness_difference",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 2),
        scores.co_missingness,
        description="Root mean square difference of the correlations of missing cells between "
        "columns with 1 to 99 % missing. Depends on n.",
        modalities=_ONLY,
    ),
    Metric(
        "rare_level_coverage",
        Family.DIVERSITY,
        Goal.MAXIMISE,
        (0, 1),
        scores.rare_levels,
        control="",
        description="Share of the levels and pairs of levels of less than 5 % of the real rows "
        "that occur in the synthetic table. Noise covers them too: read it with impossible rows.",
        modalities=_ONLY,
    ),
    Metric(
        "rare_value_excess",
        Family.PRIVACY,
        Goal.MINIMISE,
        (-1, 1),
        scores.rare_values,
        control="copy_training",
        ceiling="holdout",
        description="How much more of the values that one training subject alone has occur in the "
        "synthetic table than of those that one held-out subject alone has; 0 is ideal.",
        modalities=_ONLY,
    ),
    *EVENT_METRICS,
)
