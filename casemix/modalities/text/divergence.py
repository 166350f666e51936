"""MAUVE: how far the clusters that two sets of embedded texts fall into differ."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import FloatArray, IntArray, as_matrix

_SCALE = 5.0  # of the exponent: the paper's c
_STEPS = 25  # mixtures on the frontier, as in the reference implementation
_TEXTS_PER_CLUSTER = 10
_FEWEST = 20  # texts per arm: two clusters of ten
_EXPLAINED = 0.9  # share of the variance that the clusters are sought in
_STARTS = 5


@dataclass(frozen=True)
class Clusters:
    """Which cluster each text falls into.

    Attributes:
        real: (n,) cluster of each real text.
        synthetic: (m,) cluster of each synthetic text.
        k: number of clusters.
    """

    real: IntArray
    synthetic: IntArray
    k: int


def clusterings(
    real: npt.ArrayLike, synthetic: npt.ArrayLike, *, seed: int
) -> tuple[Clusters, ...]:
    """Quantise two sets of embedded texts together, one cluster per ten texts of the smaller set.

    Five times, from other starts: in small sets the area depends on the start more than on the
    texts, so that the mean of the five is reported.

    As in the paper, k-means sees both sets: clusters of real texts alone would hide what lies
    outside them. Vectors are brought to unit length and to the principal axes of 90 % of the
    variance.

    Args:
        real: (n, d).
        synthetic: (m, d).
        seed: seed of k-means' starts.

    Raises:
        EvaluationError: fewer than 20 texts in a set, other columns, or values not finite.
    """
    arms = [as_matrix(a, f"the {name} texts") for a, name in ((real, "real"), (synthetic, "made"))]
    if min(map(len, arms)) < _FEWEST:
        raise EvaluationError(
            "There are too few texts to cluster.",
            given=f"{len(arms[0])} real and {len(arms[1])} synthetic texts",
            allowed=f"at least {_FEWEST} of each",
            next_step="Evaluate on more subjects.",
        )
    if arms[0].shape[1] != arms[1].shape[1]:
        raise EvaluationError(
            "Real and synthetic texts have different columns.",
            given=f"{arms[0].shape[1]} and {arms[1].shape[1]} columns",
            allowed="equal numbers of columns",
        )
    x = np.concatenate(arms)
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    k = round(min(map(len, arms)) / _TEXTS_PER_CLUSTER)
    with warnings.catch_warnings():
        # Formulaic notes may hold fewer different texts than clusters are asked for.
        warnings.simplefilter("ignore", ConvergenceWarning)
        x = _reduced(x)
        label = [
            KMeans(k, n_init=1, random_state=(seed + start) % 2**32).fit_predict(x).astype(int)
            for start in range(_STARTS)
        ]
    n = len(arms[0])
    return tuple(Clusters(each[:n], each[n:], k) for each in label)


def _reduced(x: FloatArray) -> FloatArray:
    if np.allclose(x, x[0]):
        return x[:, :1]
    axes = PCA(svd_solver="full").fit(x)
    share = np.cumsum(axes.explained_variance_ratio_)
    kept: FloatArray = axes.transform(x)[:, : int(np.searchsorted(share, _EXPLAINED)) + 1]
    return kept


def shares(label: IntArray, k: int, *, smoothed: bool = True) -> FloatArray:
    """Return the share of each of k clusters, (k,).

    Args:
        label: (n,) clusters.
        k: number of clusters.
        smoothed: add half a text to each cluster (Krichevsky and Trofimov), against the bias of
            empty clusters in small samples.
    """
    counts = np.bincount(label, minlength=k) + (0.5 if smoothed else 0.0)
    normalised: FloatArray = counts / counts.sum()
    return normalised


def frontier_area(p: npt.ArrayLike, q: npt.ArrayLike) -> float:
    """Return the area under the divergence frontier of two discrete distributions, in (0, 1].

    The frontier is ``(exp(-c KL(q|r)), exp(-c KL(p|r)))`` over mixtures ``r = w p + (1 - w) q``,
    c = 5; 1 = equal distributions.

    Args:
        p: (k,) shares, sum 1.
        q: (k,) shares, sum 1.

    Reference:
        Pillutla et al., MAUVE: measuring the gap between neural text and human text using
        divergence frontiers, NeurIPS 2021; MAUVE scores for generative models, JMLR 2023.
    """
    first, second = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    weights = np.linspace(1e-6, 1 - 1e-6, _STEPS)[:, None]
    mixture = weights * first + (1 - weights) * second  # (steps, k)
    x = np.exp(-_SCALE * _divergence(second, mixture))
    y = np.exp(-_SCALE * _divergence(first, mixture))
    x, y = np.r_[0.0, x, 1.0], np.r_[1.0, y, 0.0]
    areas = []
    for a, b in ((x, y), (y, x)):  # the trapezoids of either direction
        order = np.lexsort((-b, a))
        areas.append(np.trapezoid(b[order], a[order]))
    return float(np.mean(areas))


def _divergence(p: FloatArray, mixtures: FloatArray) -> FloatArray:
    """Return the Kullback-Leibler divergence of p (k,) from each mixture (s, k), in nats."""
    held = p > 0
    divergence: FloatArray = (p[held] * np.log(p[held] / mixtures[:, held])).sum(axis=1)
    return divergence
