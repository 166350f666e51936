"""Frechet distance of two samples of features."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.linalg import qr

from casemix.evaluation.statistics import as_matrix


def frechet_distance(real: npt.ArrayLike, synthetic: npt.ArrayLike) -> float:
    """Return the squared Frechet distance of two Gaussians fitted to (n, d) and (m, d) features.

    It depends on the feature extractor and falls with n: report both beside it, and compare
    only at equal n.

    Raises:
        EvaluationError: fewer than two rows, or values not finite.

    Reference:
        Dowson and Landau, J Multivar Anal 1982; Heusel et al., NeurIPS 2017 (FID).
    """
    first, second = as_matrix(real, "real features"), as_matrix(synthetic, "synthetic features")
    centred = [arm - arm.mean(axis=0) for arm in (first, second)]
    centred = [arm / np.sqrt(len(arm) - 1) for arm in centred]
    # tr (A B)^1/2 is the nuclear norm of the cross-product of two factors: no matrix root. The
    # triangular factors are d x d, where the rows themselves would make it n x n.
    first_factor, second_factor = (qr(arm, mode="r")[0] for arm in centred)
    overlap = np.linalg.norm(first_factor @ second_factor.T, ord="nuc")
    spread = sum(float(np.sum(arm**2)) for arm in centred)
    shift = float(np.sum((first.mean(axis=0) - second.mean(axis=0)) ** 2))
    return max(0.0, shift + spread - 2 * float(overlap))
