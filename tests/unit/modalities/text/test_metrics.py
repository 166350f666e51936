"""The contract of every metric of notes, on notes of phantom patients."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from casemix.core.conditions import Conditions
from casemix.errors import EvaluationError
from casemix.modalities.text.generators.copy_training import CopyTraining
from casemix.modalities.text.generators.marginals import Marginals
from casemix.modalities.text.metrics import METRICS

LEVELS = (0.0, 0.3, 0.6, 1.0)


def truncated(notes, share, _):
    return [" ".join(n.split(" ")[: max(3, round(len(n.split(" ")) * (1 - share)))]) for n in notes]


def per_word(change):
    def corrupted(notes, share, _):
        rng = np.random.default_rng(0)
        return [
            " ".join(change(w) if rng.random() < share else w for w in note.split(" "))
            for note in notes
        ]

    return corrupted


def per_note(change):
    def corrupted(notes, share, train):
        changed = round(share * len(notes))
        return [change(i, notes, train) if i < changed else n for i, n in enumerate(notes)]

    return corrupted


def shuffled(i, notes, _):
    spoken = notes[i].split(" ")
    return " ".join(np.random.default_rng(i).permutation(spoken))


def exchanged(notes, share, _):
    moved = round(share * len(notes))
    return [*notes[1:moved], *notes[:1], *notes[moved:]] if moved else list(notes)


copied = per_note(lambda i, notes, train: train[i])
CORRUPTIONS = {
    "structure_distance": truncated,
    "unigram_divergence": per_word(lambda w: w[::-1]),
    "vocabulary_growth_difference": per_word(lambda w: "patient"),
    "unknown_words_difference": per_word(lambda w: w + "qq"),
    "mauve": per_note(lambda i, notes, train: notes[0]),
    "perplexity_distance": per_note(shuffled),
    "self_repetition_distance": per_note(lambda i, notes, train: f"{notes[i]}\n{notes[i]}"),
    "novelty_distance": copied,
    "copied_run_ratio": copied,
    "fact_precision": exchanged,
    "fact_recall": exchanged,
    "number_errors": exchanged,
    "level_errors": exchanged,
    "negation_errors": exchanged,
}
NEAR_BEST = {
    "structure_distance": 0.12,
    "unigram_divergence": 0.02,
    "vocabulary_growth_difference": 0.06,
    "unknown_words_difference": 0.01,
    "mauve": 0.9,
    "perplexity_distance": 0.1,
    "self_repetition_distance": 0.05,
    "novelty_distance": 0.05,
    "copied_run_ratio": 1.15,
    "fact_precision": 0.99,
    "fact_recall": 0.9,
    "number_errors": 0.01,
    "level_errors": 0.01,
    "negation_errors": 0.01,
}
every_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.name)


def badness(metric, score):
    return -score.value if metric.goal == "maximise" else score.value


def test_the_tables_of_this_file_are_complete():
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names))
    assert list(CORRUPTIONS) == names
    assert list(NEAR_BEST) == names


@every_metric
def test_fresh_patients_are_near_best(metric, arms):
    score = metric.measure(arms, 0)
    best = NEAR_BEST[metric.name]
    assert badness(metric, score) <= (-best if metric.goal == "maximise" else best)
    low, high = score.interval
    assert low <= score.value <= high
    assert metric.bounds[0] <= low
    assert high <= metric.bounds[1]


@every_metric
def test_it_worsens_with_corruption(metric, arms, rewrite):
    notes, train = arms.synthetic.samples.payload.texts, arms.train.samples.payload.texts
    texts = [CORRUPTIONS[metric.name](notes, share, train) for share in LEVELS]
    found = [badness(metric, metric.measure(rewrite(arms, t), 0)) for t in texts]
    assert found == sorted(found)
    assert len(set(found)) == len(LEVELS)


@every_metric
def test_the_order_of_the_records_does_not_matter(metric, arms):
    order = np.random.default_rng(1).permutation(len(arms.synthetic))
    turned = replace(arms, synthetic=arms.synthetic.take(order), holdout=arms.holdout.take(order))
    turned = replace(turned, train=arms.train.take(np.arange(180)[::-1]), judges={})
    one, other = metric.measure(arms, 3), metric.measure(turned, 3)
    assert other.value == pytest.approx(one.value, abs=1e-12)
    assert other.interval == pytest.approx(one.interval, abs=1e-12)


def drawn_from_train(plugin, arms):
    unknown = arms.members
    rows = unknown.samples.index[["subject_id", "time"]].join(unknown.context)
    given = Conditions(rows, arms.context_schema)
    fitted = plugin().fit(unknown.samples, given, seed=0)
    return fitted.generate(given, seed=0).payload.texts


@pytest.mark.parametrize("metric", [m for m in METRICS if m.control], ids=lambda m: m.name)
def test_it_fails_its_control(metric, arms, rewrite):
    plugin = {"marginals": Marginals, "copy_training": CopyTraining}[metric.control]
    control = rewrite(arms, drawn_from_train(plugin, arms))
    control = replace(control, synthetic=replace(control.synthetic, context=arms.members.context))
    floor = badness(metric, metric.measure(control, 0))
    worst_of_real = max(
        badness(metric, metric.measure(replace(arms, synthetic=view), 0))
        for view in (arms.synthetic, arms.holdout)
    )
    assert floor > worst_of_real


@every_metric
def test_it_names_its_judge_and_its_size(metric, arms):
    score = metric.measure(arms, 0)
    assert score.n == 60
    assert re.search(r"\b60\b.* notes", score.note)
    if metric.name == "mauve":
        assert arms.embedder in score.note
    if metric.name == "perplexity_distance":
        assert "Kneser-Ney" in score.note


@every_metric
def test_too_few_subjects_are_an_error(metric, arms):
    few = replace(arms, synthetic=arms.synthetic.take(np.arange(5)))
    with pytest.raises(EvaluationError, match="too few subjects"):
        metric.measure(few, 0)


@every_metric
def test_empty_notes_are_judged_or_refused(metric, arms, rewrite):
    try:
        score = metric.measure(rewrite(arms, [""] * 60), 0)
    except EvaluationError:
        return
    assert score.value is None or np.isfinite(score.value)


def by_name(name):
    return next(metric for metric in METRICS if metric.name == name)


def test_mauve_overlooks_shuffled_words_and_perplexity_does_not(arms, rewrite):
    notes = arms.synthetic.samples.payload.texts
    broken = rewrite(arms, [shuffled(i, notes, ()) for i in range(len(notes))])
    perplexity = by_name("perplexity_distance")
    assert by_name("mauve").measure(broken, 0).value > 0.85
    assert by_name("unigram_divergence").measure(broken, 0).value < 0.05
    assert perplexity.measure(broken, 0).value > 20 * perplexity.measure(arms, 0).value


def test_notes_that_are_too_plain_are_a_distance_too(arms, rewrite):
    metric = by_name("perplexity_distance")
    plain = rewrite(arms, [arms.known.samples.payload.texts[0]] * 60)
    score = metric.measure(plain, 0)
    assert score.details["perplexity_synthetic"] < score.details["perplexity_real"]
    assert score.value > 3 * metric.measure(arms, 0).value


def test_either_way_of_a_negation_error_is_counted(arms, rewrite):
    metric = by_name("negation_errors")
    notes = arms.synthetic.samples.payload.texts
    context = arms.synthetic.context
    asserted = [n.replace("Denies smoking", "Smokes daily") for n in notes]
    score = metric.measure(rewrite(arms, asserted), 0)
    changed = sum(a != b for a, b in zip(asserted, notes, strict=True))
    assert changed > 5
    wrong = score.details["asserted_against_record"]
    assert wrong["rate"] * wrong["facts"] == pytest.approx(changed)
    assert score.details["denied_against_record"]["rate"] == 0.0
    assert (context["smoker"] == "no").sum() >= changed


@pytest.mark.parametrize("name", ["fact_precision", "fact_recall", "number_errors"])
def test_facts_are_undefined_where_notes_state_no_recorded_field(name, arms):
    nothing = replace(arms, context_schema=arms.context_schema.pick(["bmi"]), judges={})
    with pytest.raises(EvaluationError, match="No recorded field is stated"):
        by_name(name).measure(nothing, 0)


def test_a_kind_of_fact_that_notes_do_not_state_is_undefined(arms):
    numbers = replace(arms, context_schema=arms.context_schema.pick(["age"]), judges={})
    score = by_name("negation_errors").measure(numbers, 0)
    assert score.value is None
    assert "no recorded field of this kind" in score.note
    assert by_name("number_errors").measure(numbers, 0).value == 0.0
