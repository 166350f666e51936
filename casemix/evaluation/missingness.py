"""Patterns of missing cells: which cells of a row are missing together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import FloatArray
from casemix.evaluation.tables import aligned

_COMMON = 0.01  # share of real rows from which a pattern counts by itself,
_FEWEST = 5  # and real rows: fewer come and go by chance
_RATES = (0.01, 0.99)  # missing rates between which a column's indicator varies enough

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PatternDistance:
    """Distance of the distributions of whole-row patterns.

    Attributes:
        value: total variation distance, in [0, 1]; 0 is ideal.
        common: share of the real rows whose pattern counts by itself, in [0, 1]. Where it
            is low, every row is a case of its own and the distance says little.
        patterns: how many such patterns there are.
    """

    value: float
    common: float
    patterns: int


def missing_pattern_distance(real: pd.DataFrame, synthetic: pd.DataFrame) -> PatternDistance:
    """Return how differently whole rows are incomplete.

    A pattern is the set of a row's missing cells. Patterns of less than 1 % of the real rows, or
    of less than 5 rows, share one, since two small samples never agree on them.

    Raises:
        EvaluationError: the frames' columns differ, one has no rows, or no real cell is missing.
    """
    synthetic = aligned(real, synthetic)
    first, second = (arm.isna().to_numpy() for arm in (real, synthetic))
    if not first.any():
        raise EvaluationError("No real cell is missing, so that there are no patterns.")
    codes = np.unique(np.concatenate([first, second]), axis=0, return_inverse=True)[1].ravel()
    count = int(codes.max()) + 1
    shares = [
        np.bincount(arm, minlength=count) / len(arm)
        for arm in (codes[: len(first)], codes[len(first) :])
    ]
    own = shares[0] >= max(_COMMON, _FEWEST / len(first))
    wanted, found = (np.append(arm[own], arm[~own].sum()) for arm in shares)
    value = float(np.abs(wanted - found).sum() / 2)
    return PatternDistance(value, float(wanted[:-1].sum()), int(own.sum()))


def co_missingness_difference(real: pd.DataFrame, synthetic: pd.DataFrame) -> float:
    """Return the root mean square difference of correlations of missing cells, in [0, 2].

    Over the pairs of columns with 1 to 99 % of the real cells missing; an indicator that is
    constant in the synthetic table counts as uncorrelated. 0 is ideal.

    Raises:
        EvaluationError: the frames' columns differ, one has no rows, or fewer than two columns are
            incomplete.
    """
    synthetic = aligned(real, synthetic)
    rates = real.isna().mean()
    names = [n for n in real.columns if _RATES[0] < rates[n] < _RATES[1]]
    if len(names) < 2:
        raise EvaluationError(
            "Too few columns are incomplete to compare which cells are missing together.",
            given=names or "none",
            allowed="at least two columns with 1 to 99 % of the cells missing",
        )
    wanted, found = (_correlations(arm[names].isna().to_numpy()) for arm in (real, synthetic))
    above = np.triu_indices(len(names), 1)
    return float(np.sqrt(((wanted - found)[above] ** 2).mean()))


def _correlations(missing: BoolArray) -> FloatArray:
    centred = missing - missing.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    scaled = centred / np.where(norms > 0, norms, 1.0)
    products: FloatArray = scaled.T @ scaled
    return products
