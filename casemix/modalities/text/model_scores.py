"""Scores of notes by models that judge them: MAUVE in an embedding, and perplexity."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import wasserstein_distance

from casemix.core.metric import EvalData, Score, View
from casemix.evaluation.statistics import FloatArray, IntArray
from casemix.modalities.text import divergence
from casemix.modalities.text.arms import Arm, arms, distance_interval, mean, sizes, subjects_in
from casemix.modalities.text.word_model import WordModel

_UNUSUAL = (2.5, 97.5)  # percentiles of real notes


def mauve(data: EvalData, seed: int) -> Score:
    """Score the area under the divergence frontier, in the named embedding."""
    real, made = arms(data)
    features, name = _features(data, real, made)
    # k-means is seeded by a constant: the clusters of equal notes are equal in every arm.
    found = divergence.clusterings(*features, seed=0)

    def area(a: IntArray, b: IntArray, *, smoothed: bool = True) -> float:
        return mean(
            divergence.frontier_area(
                divergence.shares(each.real[a], each.k, smoothed=smoothed),
                divergence.shares(each.synthetic[b], each.k, smoothed=smoothed),
            )
            for each in found
        )

    rows = np.arange(len(real.texts)), np.arange(len(made.texts))
    value = area(*rows)
    return Score(
        value,
        distance_interval(real, made, area, value, seed, bounds=(0.0, 1.0)),
        subjects_in(real, made),
        note=f"{name}; {len(found)} times {found[0].k} clusters of {sizes(real, made)}",
        details={"unsmoothed": area(*rows, smoothed=False)},
    )


def perplexity_distance(data: EvalData, seed: int) -> Score:
    """Score the distance of the per-note surprise under a model of real training notes."""
    real, made = arms(data)
    bits_of, name = _language_model(data)
    first, second = bits_of(real.texts), bits_of(made.texts)

    def measure(a: IntArray, b: IntArray) -> float:
        return float(wasserstein_distance(first[a], second[b]))

    value = float(wasserstein_distance(first, second))
    low, high = np.percentile(first, _UNUSUAL)
    return Score(
        value,
        distance_interval(real, made, measure, value, seed),
        subjects_in(real, made),
        note=f"{name}; {sizes(real, made)}",
        details={
            "perplexity_real": float(2 ** first.mean()),
            "perplexity_synthetic": float(2 ** second.mean()),
            "less_surprising_than_real": float((second < low).mean()),
            "more_surprising_than_real": float((second > high).mean()),
        },
    )


def _language_model(data: EvalData) -> tuple[Callable[[Sequence[str]], FloatArray], str]:
    if data.encoder:
        # Heavy libraries, which only users with an encoder of their own need.
        from casemix.modalities.text import pretrained_encoder as own

        if own.is_language_model(data.encoder):
            load = own.PretrainedLanguageModel.load
            model = data.once("text.pretrained_model", lambda _: load(data.encoder))
            return model.bits_of, f"{data.encoder}, bits per token"
    fitted = data.once("text.word_model", _word_model)
    about = f"interpolated Kneser-Ney 5-gram of {len(data.known)} training notes"
    return fitted.bits_of, f"{about}, {len(fitted.vocabulary)} words"


def _word_model(view: View) -> WordModel:
    return WordModel.fit(Arm.of(view).texts)


def _features(data: EvalData, real: Arm, made: Arm) -> tuple[list[FloatArray], str]:
    if not data.encoder:
        return [np.asarray(a.view.embedding, dtype=np.float64) for a in (real, made)], data.embedder
    from casemix.modalities.text.pretrained_encoder import PretrainedEncoder

    encoder = data.once("text.encoder", lambda _: PretrainedEncoder.load(data.encoder))
    return [encoder.embed(a.texts) for a in (real, made)], f"{data.encoder}, mean-pooled"
