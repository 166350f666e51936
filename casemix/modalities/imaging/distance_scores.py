"""Distances of pictures in the features of an extractor, as metrics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from casemix.core.metric import EvalData, Score
from casemix.evaluation import diversity, fidelity
from casemix.evaluation.centred_interval import centred_interval
from casemix.evaluation.fidelity import TwoSample
from casemix.evaluation.frechet import frechet_distance
from casemix.evaluation.statistics import bootstrap_rows
from casemix.modalities.imaging.distances import kernel_distance
from casemix.modalities.imaging.extractors import features_of, network, one_per_subject

_REPEATS = 60

#: Features of one record per subject of both arms, (n, d) and (m, d), and the extractor's name.
_Features = Callable[[EvalData], tuple[np.ndarray, np.ndarray, str]]


def _embedded(data: EvalData) -> tuple[np.ndarray, np.ndarray, str]:
    real, made = (one_per_subject(v).embedding for v in (data.holdout, data.synthetic))
    return real, made, data.embedder


def _networked(data: EvalData) -> tuple[np.ndarray, np.ndarray, str]:
    extract = network(data)
    return *features_of(data, extract), extract.name


def _kernel(features: _Features) -> Callable[[EvalData, int], Score]:
    def compute(data: EvalData, seed: int) -> Score:
        real, made, name = features(data)
        return _score(kernel_distance(real, made, seed=seed), real, made, name)

    return compute


kernel_embedding = _kernel(_embedded)
kernel_network = _kernel(_networked)


def frechet_network(data: EvalData, seed: int) -> Score:
    """Return the Frechet distance in the network's features."""
    real, made, name = _networked(data)
    draws = [
        frechet_distance(real[a], made[b])
        for a, b in zip(
            bootstrap_rows(len(real), seed=seed, repeats=_REPEATS),
            bootstrap_rows(len(made), seed=seed + 1, repeats=_REPEATS),
            strict=True,
        )
    ]
    value = frechet_distance(real, made)
    interval = centred_interval(value, draws, (0.0, np.inf))
    return Score(value, interval, _n(real, made), note=_note(name, real, made))


def mmd_network(data: EvalData, seed: int) -> Score:
    """Return the squared MMD with RBF kernels in the network's features."""
    real, made, name = _networked(data)
    return _score(fidelity.mmd_rbf(real, made, seed=seed), real, made, name)


def one_nn_network(data: EvalData, seed: int) -> Score:
    """Return the 1-NN accuracy in the network's features."""
    real, made, name = _networked(data)
    found = fidelity.one_nearest_neighbour_accuracy(real, made, seed=seed)
    return _score(found, real, made, name)


def c2st_network(data: EvalData, seed: int) -> Score:
    """Return the AUC of a ridge-logistic classifier of the network's features."""
    real, made, name = _networked(data)
    found = fidelity.c2st(real, made, seed=seed, classifier="logistic")
    return _score(found, real, made, name)


def support_network(part: str) -> Callable[[EvalData, int], Score]:
    """Return the metric of one attribute of `casemix.evaluation.diversity.Support`."""

    def compute(data: EvalData, seed: int) -> Score:
        real, made, name = _networked(data)
        overlap = diversity.support_overlap(real, made)
        note = _note(name, real, made)
        return Score(float(getattr(overlap, part)), None, _n(real, made), note=note)

    return compute


def _score(found: TwoSample, real: np.ndarray, made: np.ndarray, name: str) -> Score:
    return Score(
        found.value,
        found.interval,
        _n(real, made),
        note=_note(name, real, made),
        details={"p_value": found.p_value},
    )


def _n(real: np.ndarray, made: np.ndarray) -> int:
    return min(len(real), len(made))


def _note(name: str, real: np.ndarray, made: np.ndarray) -> str:
    return f"{name}; one picture per subject, n = {len(real)} and {len(made)}"
