"""The Kneser-Ney model against its definition, written down once more without any tables."""

from __future__ import annotations

import math

import pytest

from casemix.errors import EvaluationError
from casemix.modalities.text.toy import toy
from casemix.modalities.text.word_model import WordModel, note_words

ORDER = 3


@pytest.fixture(scope="module")
def notes():
    return toy(40, seed=0)[0].payload.texts


@pytest.fixture(scope="module")
def model(notes):
    return WordModel.fit(notes, order=ORDER)


def sequences(notes, known):
    return [
        ["<s>", *(w if w in known else "<rare>" for w in note_words(note)), "</s>"]
        for note in notes
    ]


def occurrences(runs, gram):
    n = len(gram)
    return sum(tuple(s[i : i + n]) == gram for s in runs for i in range(len(s) - n + 1))


def count(runs, gram, words, order):
    """Occurrences in the highest order and at the beginning, else different left neighbours."""
    if len(gram) == order or (gram[0] == "<s>" and len(gram) > 1):
        return occurrences(runs, gram)
    return sum(occurrences(runs, (left, *gram)) > 0 for left in [*words, "<s>"])


def plain(runs, words, discounts, word, context):
    lower = plain(runs, words, discounts, word, context[1:]) if context else 1 / len(words)
    counts = {w: count(runs, (*context, w), words, ORDER) for w in words}
    total = sum(counts.values())
    if total == 0:
        return lower
    discount = discounts[len(context)]
    lent = discount * sum(c > 0 for c in counts.values())
    return (max(counts[word] - discount, 0) + lent * lower) / total


def test_probabilities_are_those_of_the_definition(model, notes):
    words = sorted(model.vocabulary)
    runs = sequences(notes, model.vocabulary)
    for context in [("<s>",), ("<s>", "history"), ("known", "asthma"), ("score", "#"), ("cough",)]:
        for word in ("asthma", "#", "cough", "</s>", "<rare>", "."):
            expected = plain(runs, words, model.discounts, word, context)
            assert model.probability(word, context) == pytest.approx(expected, rel=1e-9)


def test_probabilities_sum_to_one(model):
    for context in [(), ("<s>",), ("known", "asthma"), ("never", "seen"), ("#", "points")]:
        total = sum(model.probability(word, context) for word in model.vocabulary)
        assert total == pytest.approx(1.0)


def test_bits_are_the_mean_of_the_words(model):
    note = "HISTORY: Known asthma."
    sequence = sequences([note], model.vocabulary)[0]
    surprise = [
        -math.log2(model.probability(sequence[i], tuple(sequence[max(0, i - 2) : i])))
        for i in range(1, len(sequence))
    ]
    assert model.bits(note) == pytest.approx(sum(surprise) / len(surprise))


def test_unseen_words_and_empty_notes_have_finite_surprise(model):
    known, unknown, empty = model.bits_of(["HISTORY: Known asthma.", "Qwerty uiop.", ""])
    assert known < unknown < 20
    assert 0 < empty < 20


def test_sections_in_another_order_are_more_surprising(model, notes):
    turned = ["\n".join(reversed(note.split("\n"))) for note in notes]
    assert model.bits_of(turned).mean() > 1.2 * model.bits_of(notes).mean()


def test_too_few_notes_are_an_error(notes):
    with pytest.raises(EvaluationError, match="too few training notes"):
        WordModel.fit(notes[:19])
