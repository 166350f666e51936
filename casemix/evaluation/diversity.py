"""Diversity: does the synthetic cloud stay on the real one, and does it cover all of it?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import FloatArray, as_matrix


@dataclass(frozen=True)
class Support:
    """Overlap of the supports of two samples.

    Attributes:
        precision: share of synthetic records inside the real manifold, in [0, 1].
        recall: share of real records inside the synthetic manifold, in [0, 1].
        density: mean number of real neighbourhoods around a synthetic record, over k; about 1 for
            equal distributions, above 1 where synthetic records crowd the dense regions.
        coverage: share of real neighbourhoods that hold a synthetic record, in [0, 1].
    """

    precision: float
    recall: float
    density: float
    coverage: float


def support_overlap(real: npt.ArrayLike, synthetic: npt.ArrayLike, *, k: int = 5) -> Support:
    """Return precision, recall, density and coverage from k-nearest-neighbour balls.

    The values depend on n, d and k: read them beside those of real against held-out real records
    of the same size. Scale the columns first.

    Args:
        real: (n, d) embedding.
        synthetic: (m, d) embedding.
        k: the neighbour whose distance is a ball's radius.

    Raises:
        EvaluationError: fewer than k + 1 rows in an arm, other columns, or values not finite.

    Reference:
        Kynkaanniemi et al., NeurIPS 2019; Naeem et al., ICML 2020 (2002.09797).
    """
    first = as_matrix(real, "real rows", rows=k + 1)
    second = as_matrix(synthetic, "synthetic rows", rows=k + 1)
    if first.shape[1] != second.shape[1]:
        raise EvaluationError(
            "Real and synthetic rows have different columns.",
            given=f"{first.shape[1]} and {second.shape[1]} columns",
            allowed="equal numbers of columns",
        )
    found = neighbourhoods(first, second, k=k)
    return Support(
        precision=float(found.near_real.mean()),
        recall=float(found.near_synthetic.mean()),
        density=float(found.crowd.mean() / k),
        coverage=float(found.covered.mean()),
    )


@dataclass(frozen=True)
class Neighbourhoods:
    """What `Support` averages, record by record.

    Attributes:
        near_real: (m,) which synthetic records lie in some real record's ball.
        near_synthetic: (n,) which real records lie in some synthetic record's ball.
        crowd: (m,) how many real records' balls hold each synthetic record.
        covered: (n,) which real records' balls hold some synthetic record.
    """

    near_real: npt.NDArray[np.bool_]
    near_synthetic: npt.NDArray[np.bool_]
    crowd: npt.NDArray[np.int_]
    covered: npt.NDArray[np.bool_]


def neighbourhoods(real: npt.ArrayLike, synthetic: npt.ArrayLike, *, k: int = 5) -> Neighbourhoods:
    """Return which records lie in whose ball; see `support_overlap`."""
    first = as_matrix(real, "real rows", rows=k + 1)
    second = as_matrix(synthetic, "synthetic rows", rows=k + 1)
    between = cdist(first, second)  # (n, m)
    # At the radius counts as inside: k + 1 equal records have radius 0.
    in_real = between <= _radii(first, k)[:, None]
    in_synthetic = between <= _radii(second, k)[None, :]
    return Neighbourhoods(
        in_real.any(axis=0), in_synthetic.any(axis=1), in_real.sum(axis=0), in_real.any(axis=1)
    )


def _radii(values: FloatArray, k: int) -> FloatArray:
    """Return the distance of each row to its k-th nearest other row, (n,)."""
    distances = cdist(values, values)
    np.fill_diagonal(distances, np.inf)
    nearest: FloatArray = np.partition(distances, k - 1, axis=1)[:, k - 1]
    return nearest
