"""Two-sample statistics: what they return, and rows of both arms on one scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy.typing as npt

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import (
    Estimate,
    FloatArray,
    IntArray,
    as_matrix,
    as_subjects,
    standardisation,
)


@dataclass(frozen=True)
class TwoSample(Estimate):
    """A two-sample statistic with interval and permutation p-value.

    Attributes:
        p_value: under the null that subjects are exchangeable between the arms, in (0, 1].
    """

    p_value: float


def check_same_width(first: FloatArray, second: FloatArray) -> None:
    """Raise unless real and synthetic rows have equally many columns.

    Raises:
        EvaluationError: they do not.
    """
    if first.shape[1] != second.shape[1]:
        raise EvaluationError(
            "Real and synthetic rows have different columns.",
            given=f"{first.shape[1]} and {second.shape[1]} columns",
            allowed="equal numbers of columns",
        )


def as_clouds(
    real: npt.ArrayLike,
    synthetic: npt.ArrayLike,
    subjects_real: npt.ArrayLike | None,
    subjects_synthetic: npt.ArrayLike | None,
) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
    """Return real (n, d) and synthetic rows (m, d) on the real rows' scale, and their subjects.

    Args:
        real: (n, d) finite numbers.
        synthetic: (m, d), same columns.
        subjects_real: (n,) subject of each row; each its own if None.
        subjects_synthetic: (m,) the same for the synthetic rows.

    Raises:
        EvaluationError: fewer than four rows, columns that differ, or values not finite.
    """
    first = as_matrix(real, "real rows", rows=4)
    second = as_matrix(synthetic, "synthetic rows", rows=4)
    check_same_width(first, second)
    scale = standardisation(first)
    return (
        scale(first),
        scale(second),
        as_subjects(subjects_real, len(first)),
        as_subjects(subjects_synthetic, len(second)),
    )
