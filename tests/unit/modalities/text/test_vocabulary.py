"""Tokens are whole words: nothing is lost in reading, and nothing half a word in writing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from transformers import AutoTokenizer

from casemix.errors import FitError
from casemix.modalities.text.seams import Seams
from casemix.modalities.text.vocabulary import (
    IGNORED,
    TokenisedNotes,
    small_tokenizer,
    spelled,
    whole_words,
)

NOTES = [
    "No fever. Cough for <n0> days.",
    "No fever. Dyspnoea for <n0> days.",
    "Fever and cough. Seen by Dr Quistgaard.",
    "No cough. No fever. Dyspnoea.",
    "Cough and fever. No fever.",
]
STRANGE = [
    "",
    "  \n\tNo  fever .  ",
    "Quistgaard's feverish Ärger, e\u0301 and é.",
    "发热3天、无咳嗽。CT检查",
    "Mood 🙂 👨‍👩‍👧 — ½ µg \u200d <0x41> <rar e>",
    "حمى وسعال، ไม่มีไข้, боль",
    "word " * 10_000,
]


@pytest.fixture(scope="module")
def tokenizer():
    return small_tokenizer(NOTES, 400)


def tokens(tokenizer, text):
    return tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])


@pytest.mark.parametrize("text", [*NOTES, *STRANGE], ids=lambda text: text[:12])
def test_every_text_comes_back_exactly(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert "".join(whole_words(text)) == text


def test_shared_words_and_recurring_phrases_are_tokens(tokenizer):
    read = tokens(tokenizer, "No fever. Dyspnoea for <n0> days.")
    assert read == ["No", " fever.", " Dyspnoea", " for", " ", "<n0>", " days", "."]


def test_phrases_hold_any_character():
    note = "A* (b) [c] {d} #e & f|g ^h $i ~j \\k\t?: -l \n"
    of_marks = small_tokenizer([note] * 6, 800)
    assert any("\n" in token and len(token) > 1 for token in of_marks.get_vocab())
    assert len(of_marks(note)["input_ids"]) < len(whole_words(note)) / 2
    assert of_marks.decode(of_marks(note)["input_ids"]) == note


def test_no_token_ends_within_a_word(tokenizer):
    assert " fever" in tokenizer.get_vocab()
    assert not any("fever" in token for token in tokens(tokenizer, "No feverish coughing."))


def test_words_of_one_subject_alone_are_never_written():
    once = small_tokenizer(NOTES, 400, owners=["a", "b", "c", "d", "e"])
    twice = [*NOTES, "Seen by Dr Quistgaard."]
    same = small_tokenizer(twice, 400, owners=["a", "b", "c", "d", "e", "c"])
    other = small_tokenizer(twice, 400, owners=["a", "b", "c", "d", "e", "f"])
    assert " Quistgaard" not in once.get_vocab()
    assert " Quistgaard" not in same.get_vocab()
    assert " Quistgaard" in other.get_vocab()


def test_a_spelled_word_is_one_token_in_training(tokenizer):
    notes = TokenisedNotes.of(["No Quistgaard cough.", "~"], tokenizer, most=50)
    rows = [tokenizer.convert_ids_to_tokens(row[row != IGNORED]) for row in notes.targets]
    assert rows == [["No", "<rare>", " cough", ".", "</s>"], ["<rare>", "</s>"]]
    assert not set(notes.targets.ravel()) & spelled(tokenizer)


def test_the_vocabulary_is_bounded():
    letters = "abcdefghij"
    many = [" ".join(f"{a}{b}{c}" for b, c in itertools.product(letters, repeat=2)) for a in "xyz"]
    assert len(small_tokenizer([*many, *many], 400)) == 400


def test_a_phrase_has_at_most_twelve_words():
    endless = small_tokenizer(["and so on " * 500] * 4, 400)
    longest = max(len(whole_words(token)) for token in endless.get_vocab() if token[0] != "<")
    assert 1 < longest <= 12


def test_notes_without_a_common_word_are_refused():
    with pytest.raises(FitError, match="No word stands"):
        small_tokenizer(["fever", "cough", "pain"], 400)


def test_a_saved_tokenizer_reads_alike(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert spelled(again) == spelled(tokenizer)
    assert len(spelled(again)) == 256
    for text in [*NOTES, *STRANGE]:
        assert again(text)["input_ids"] == tokenizer(text)["input_ids"]
        assert again.decode(again(text)["input_ids"]) == text


def test_tokens_that_would_glue_words_or_numbers_are_barred(tokenizer):
    barred = Seams.of(tokenizer).barred
    vocabulary = tokenizer.get_vocab()

    def may_touch(last, first):
        return not barred(np.array([vocabulary[last]]))[0, vocabulary[first]]

    assert may_touch("No", " fever")
    assert may_touch(".", "No")
    assert may_touch("<n0>", " days")
    assert may_touch("<s>", "No")
    assert not may_touch("No", "No")
    assert not may_touch(" fever", "No")
    assert not may_touch("<n0>", "<n1>")
    assert not may_touch("<s>", " days")
    assert all(may_touch(token, "</s>") for token in vocabulary)
