"""Runs of words against plain sets of them."""

from __future__ import annotations

import numpy as np
import pytest

from casemix.modalities.text.runs import (
    LONGEST,
    WordRows,
    longest_shared,
    novel_share,
    repeated_share,
    shared_share,
)

WORDS = ("no", "chest", "pain", "lvef", "35", "60", "stable")


def notes(count, seed):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, size=rng.integers(0, 30))) for _ in range(count)]


def grams(note, size):
    spoken = note.split()
    return [tuple(spoken[i : i + size]) for i in range(len(spoken) - size + 1)]


def share(flags):
    return np.mean(flags) if flags else np.nan


@pytest.fixture(scope="module")
def some():
    return notes(25, 0), notes(30, 1)


def test_repeated_runs(some):
    (rows,) = WordRows.of(some[0])
    expected = [1 - len(set(g)) / len(g) if (g := grams(note, 2)) else np.nan for note in some[0]]
    np.testing.assert_allclose(repeated_share(rows, size=2), expected)
    assert np.nanmax(expected) > 0


def test_runs_shared_with_other_subjects(some):
    subjects = [f"s{i // 2}" for i in range(len(some[0]))]
    (rows,) = WordRows.of(some[0])
    expected = []
    for note, subject in zip(some[0], subjects, strict=True):
        others = [n for n, s in zip(some[0], subjects, strict=True) if s != subject]
        theirs = {g for other in others for g in grams(other, 4)}
        expected.append(share([g in theirs for g in grams(note, 4)]))
    np.testing.assert_allclose(shared_share(rows, subjects, size=4), expected)
    assert 0 < np.nanmean(expected) < 1


def test_novel_runs(some):
    mine, theirs = WordRows.of(*some)
    known = {g for note in some[1] for g in grams(note, 4)}
    expected = [share([g not in known for g in grams(note, 4)]) for note in some[0]]
    np.testing.assert_allclose(novel_share(mine, theirs, size=4), expected)


def test_longest_shared_runs(some):
    mine, theirs = WordRows.of(*some)
    expected = [
        max(
            (
                size
                for size in range(1, 31)
                if set(grams(note, size)) & {g for t in some[1] for g in grams(t, size)}
            ),
            default=0,
        )
        for note in some[0]
    ]
    assert longest_shared(mine, theirs).tolist() == expected


def test_a_copied_note_is_shared_as_a_whole_up_to_the_longest_run():
    note = "LVEF 35%. No effusion, BP 120/80."
    long = " ".join(f"word{i}" for i in range(100))
    mine, theirs = WordRows.of([note, long, note.replace("35", "36")], [note, long])
    assert longest_shared(mine, theirs).tolist() == [7, LONGEST, 5]


def test_notes_without_words_have_no_runs():
    mine, theirs = WordRows.of(["", "..."], ["", "No pain."])
    assert longest_shared(mine, theirs).tolist() == [0, 0]
    for measured in (repeated_share(mine), shared_share(mine, ["a", "b"])):
        assert np.isnan(measured).all()
    assert np.isnan(novel_share(mine, theirs)).all()
