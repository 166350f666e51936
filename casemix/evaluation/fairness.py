"""Fairness: any metric by subgroup, and how far apart the subgroups are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import IntArray


@dataclass(frozen=True)
class Subgroups:
    """A metric by subgroup.

    Attributes:
        values: metric by group; groups that are too small are not in it.
        disparity: largest minus smallest value; None with fewer than two defined groups.
        suppressed: groups with too few records to report: a small cell says little and may
            identify its members. Their sizes are left out on purpose.
    """

    values: Mapping[str, float]
    disparity: float | None
    suppressed: tuple[str, ...]


def by_subgroup(
    metric: Callable[[IntArray], float], groups: npt.ArrayLike, *, minimum: int = 20
) -> Subgroups:
    """Return a metric for each subgroup of the records.

    Args:
        metric: takes row numbers and returns the metric of those rows; NaN where undefined, which
            stays in ``values`` but not in ``disparity``.
        groups: (n,) group label of each row; missing labels form no group.
        minimum: fewest rows of a group that is reported.

    Raises:
        EvaluationError: no rows, or all labels missing.
    """
    labels = pd.Series(np.asarray(groups))
    present = labels.dropna().astype(str)
    if present.empty:
        raise EvaluationError(
            "No record has a group label.", given=f"{len(labels)} rows", allowed="at least one"
        )
    rows_of = {name: rows.index.to_numpy() for name, rows in present.groupby(present)}
    large = {str(name): rows for name, rows in rows_of.items() if len(rows) >= minimum}
    values = {name: float(metric(rows)) for name, rows in large.items()}
    defined = [value for value in values.values() if np.isfinite(value)]
    return Subgroups(
        values=values,
        disparity=max(defined) - min(defined) if len(defined) > 1 else None,
        suppressed=tuple(str(name) for name in rows_of if str(name) not in large),
    )
