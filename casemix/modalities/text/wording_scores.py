"""Scores of the form of notes: structure, vocabulary, repetition and copied runs."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from casemix.core.metric import EvalData, Score, View
from casemix.errors import EvaluationError
from casemix.evaluation.statistics import FloatArray, IntArray
from casemix.modalities.text import lexical, runs, structure
from casemix.modalities.text.arms import (
    arms,
    distance_interval,
    finite,
    mean,
    real_and_made,
    shift,
    sizes,
    subjects_in,
)

_RUN = 8  # words of a run that is not just a common wording


def structure_distance(data: EvalData, seed: int) -> Score:
    """Score the mean of `structure.structure_distances`."""
    real, made = arms(data)
    first, second = structure.structures(real.texts, made.texts)

    def measure(a: IntArray, b: IntArray) -> float:
        return mean(structure.structure_distances(first.take(a), second.take(b)).values())

    parts = structure.structure_distances(first, second)
    value = mean(parts.values())
    return Score(
        value,
        distance_interval(real, made, measure, value, seed, bounds=(0.0, 1.0)),
        subjects_in(real, made),
        note=sizes(real, made),
        details=parts,
    )


def unigram_divergence(data: EvalData, seed: int) -> Score:
    """Score the Jensen-Shannon divergence of the words, with Zipf slopes beside it."""
    real, made = arms(data)
    counts = lexical.count_words(real.texts, made.texts)

    def measure(a: IntArray, b: IntArray) -> float:
        return float(lexical.jensen_shannon(_summed(counts.real, a), _summed(counts.synthetic, b)))

    first, second = counts.real.sum(axis=0), counts.synthetic.sum(axis=0)
    value = float(lexical.jensen_shannon(first, second))
    slopes = {"real": lexical.zipf_slope(first), "synthetic": lexical.zipf_slope(second)}
    return Score(
        value,
        distance_interval(real, made, measure, value, seed, bounds=(0.0, 1.0)),
        subjects_in(real, made),
        note=f"{len(counts.words)} words, numbers as one; {int(first.sum())} and "
        f"{int(second.sum())} running words of {sizes(real, made)}",
        details={"zipf_slope": finite(slopes)},
    )


def vocabulary_growth_difference(data: EvalData, seed: int) -> Score:
    """Score how the number of different words grows with the running words."""
    real, made = arms(data)
    counts = lexical.count_words(real.texts, made.texts)

    def measure(a: IntArray, b: IntArray) -> float:
        return lexical.growth_difference(_summed(counts.real, a), _summed(counts.synthetic, b))

    first, second = counts.real.sum(axis=0), counts.synthetic.sum(axis=0)
    value = lexical.growth_difference(first, second)
    points = lexical.growth_points(int(min(first.sum(), second.sum())))
    curves = {"running_words": points.tolist()} | {
        name: lexical.distinct_words(arm, points).round(1).tolist()
        for name, arm in (("real", first), ("synthetic", second))
    }
    return Score(
        value,
        distance_interval(real, made, measure, value, seed),
        subjects_in(real, made),
        note=f"up to {int(points[-1])} running words of {sizes(real, made)}, numbers as one",
        details={"type_token_curve": curves},
    )


def unknown_words_difference(data: EvalData, seed: int) -> Score:
    """Score the share of words that the training notes which judges know do not have."""
    real, made = arms(data)
    known = data.once("text.vocabulary", _vocabulary)
    first, second = (np.array([_unknown(t, known) for t in arm.texts]) for arm in (real, made))

    def share(counts: FloatArray) -> float:
        return float(counts[:, 0].sum() / max(counts[:, 1].sum(), 1))

    def measure(a: IntArray, b: IntArray) -> float:
        return abs(share(second[b]) - share(first[a]))

    value = abs(share(second) - share(first))
    return Score(
        value,
        distance_interval(real, made, measure, value, seed, bounds=(0.0, 1.0)),
        subjects_in(real, made),
        note=f"the {len(known)} words of {len(data.known)} training notes; {sizes(real, made)}",
        details={"real": share(first), "synthetic": share(second)},
    )


def self_repetition_distance(data: EvalData, seed: int) -> Score:
    """Score how often notes repeat themselves and each other, as a distance from real ones."""
    real, made = arms(data)
    rows = runs.WordRows.of(real.texts, made.texts)
    inside = [runs.repeated_share(r) for r in rows]
    across = [runs.shared_share(r, arm.subjects) for r, arm in zip(rows, (real, made), strict=True)]

    def measure(a: IntArray, b: IntArray) -> float:
        return mean([shift(inside[0][a], inside[1][b]), shift(across[0][a], across[1][b])])

    value = _defined(measure(np.arange(len(real.texts)), np.arange(len(made.texts))))
    parts = {"repeated_within": inside, "shared_with_others": across}
    return Score(
        value,
        distance_interval(real, made, measure, value, seed, bounds=(0.0, 1.0)),
        subjects_in(real, made),
        note=f"runs of 4 words within and {_RUN} across notes, numbers as written; "
        f"{sizes(real, made)}",
        details={name: real_and_made(a, b) for name, (a, b) in parts.items()},
    )


def novelty_distance(data: EvalData, seed: int) -> Score:
    """Score the share of runs that no training note has, as a distance from real new notes."""
    real, made = arms(data)
    rows = runs.WordRows.of(real.texts, made.texts, data.train.samples.payload.texts)
    first, second = (runs.novel_share(r, rows[2], size=_RUN) for r in rows[:2])

    def measure(a: IntArray, b: IntArray) -> float:
        return shift(first[a], second[b])

    value = _defined(shift(first, second))
    return Score(
        value,
        distance_interval(real, made, measure, value, seed, bounds=(0.0, 1.0)),
        subjects_in(real, made),
        note=f"runs of {_RUN} words, numbers as written, against {len(data.train)} training notes; "
        f"{sizes(real, made)}",
        details={"novel_runs": real_and_made(first, second)},
    )


def copied_run_ratio(data: EvalData, seed: int) -> Score:
    """Score the longest runs shared with a training note, over those of real new notes."""
    real, made = arms(data)
    rows = runs.WordRows.of(real.texts, made.texts, data.train.samples.payload.texts)
    first, second = (runs.longest_shared(r, rows[2]).astype(np.float64) for r in rows[:2])

    def measure(a: IntArray, b: IntArray) -> float:
        return float(second[b].mean() / max(first[a].mean(), 1.0))

    value = float(second.mean() / max(first.mean(), 1.0))
    tails = {f"{q}th_percentile": real_and_made(first, second, q) for q in (50, 95)}
    return Score(
        value,
        distance_interval(real, made, measure, value, seed),
        subjects_in(real, made),
        note=f"at most {runs.LONGEST} words, against {len(data.train)} training notes; "
        f"{sizes(real, made)}",
        details={"mean_words": real_and_made(first, second)} | tails,
    )


def _vocabulary(view: View) -> frozenset[str]:
    return frozenset(w for text in view.samples.payload.texts for w in lexical.spoken(text))


def _unknown(text: str, known: frozenset[str]) -> tuple[int, int]:
    said = lexical.spoken(text)
    return sum(w not in known for w in said), len(said)


def _defined(distance: float) -> float:
    if np.isnan(distance):
        raise EvaluationError(
            f"No note of an arm has {_RUN} words, so that it has no runs to compare.",
            next_step="Judge longer notes.",
        )
    return distance


def _summed(counts: csr_array, rows: IntArray) -> FloatArray:
    weights = np.bincount(rows, minlength=counts.shape[0])
    return np.asarray(weights @ counts)
