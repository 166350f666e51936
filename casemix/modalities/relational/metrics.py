"""Metrics of linked tables: keys, numbers of children, columns, dependence, times, copies."""

from __future__ import annotations

from casemix.core.metric import Family, Goal, Metric
from casemix.modalities.relational import scores
from casemix.modalities.relational.copied_runs import copied_run_excess

_ONLY = frozenset({"relational"})

METRICS = (
    Metric(
        "broken_keys",
        Family.CONSTRAINTS,
        Goal.MINIMISE,
        (0, 1),
        scores.broken_keys,
        control="",
        description="Share of rows whose key is used before in their sample, or whose parent does "
        "not exist there. Samples with broken keys are refused, so it must be 0.",
        modalities=_ONLY,
    ),
    Metric(
        "children_per_parent",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (0, 1),
        scores.children_per_parent,
        control="",
        description="Mean over the tables of 1 - Kolmogorov-Smirnov distance of the numbers of "
        "rows per parent, none included. Independent numbers score as well as real ones.",
        modalities=_ONLY,
    ),
    Metric(
        "child_columns",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (0, 1),
        scores.child_columns,
        control="",
        description="Mean over all columns of all tables, row by row, of 1 - KS or total-variation "
        "distance; times are hours after the parent's start or the row's first time.",
        modalities=_ONLY,
    ),
    Metric(
        "parent_child_dependence",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (0, 1),
        scores.parent_child_dependence,
        description="1 - half the mean absolute difference of associations between columns of "
        "rows, or numbers of rows, and columns of their parents or subjects.",
        modalities=_ONLY,
    ),
    Metric(
        "sibling_dependence",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (0, 1),
        scores.sibling_dependence,
        description="1 - half the mean absolute difference of associations between columns of a "
        "row and those of the sibling before it.",
        modalities=_ONLY,
    ),
    Metric(
        "broken_times",
        Family.CONSTRAINTS,
        Goal.MINIMISE,
        (0, 1),
        scores.broken_order,
        description="Share of rows that end before they start, or that lie outside of their "
        "parent's span where the table says that they lie within; the ceiling is the real rate.",
        modalities=_ONLY,
    ),
    Metric(
        "repeated_levels",
        Family.CONSTRAINTS,
        Goal.MINIMISE,
        (0, 1),
        scores.repeated_levels,
        description="Share of rows with a level that a sibling has too, in the columns whose "
        "levels siblings never share in training, such as one admission's diagnoses.",
        modalities=_ONLY,
    ),
    Metric(
        "copied_run_excess",
        Family.PRIVACY,
        Goal.MINIMISE,
        (-1, 1),
        copied_run_excess,
        control="copy_training",
        ceiling="holdout",
        description="Of the pairs of successive rows that one subject alone has, the share that "
        "comes out: of members less that of held-out subjects; 0 is ideal.",
        modalities=_ONLY,
    ),
)
