"""Structure of notes: lengths against scipy, sections and their order by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from casemix.modalities.text.structure import (
    kolmogorov_smirnov,
    structure_distances,
    structures,
)

NOTE = "HISTORY: No pain. LVEF 35%.\nPLAN: Home."


def test_lengths_are_words_sentences_and_their_ratio():
    real, _ = structures([NOTE], [NOTE])
    assert real.lengths.tolist() == [[7, 3, 7 / 3]]


def test_the_distance_of_lengths_is_that_of_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, 40).astype(float), rng.integers(2, 12, 30).astype(float)
    assert kolmogorov_smirnov(a, b) == pytest.approx(ks_2samp(a, b).statistic)


def test_a_missing_section_and_another_order_are_seen():
    turned = "PLAN: Home.\nHISTORY: No pain. LVEF 35%."
    cut = "HISTORY: No pain. LVEF 35%."
    same = structure_distances(*structures([NOTE] * 4, [NOTE] * 4))
    assert set(same.values()) == {0.0}
    order = structure_distances(*structures([NOTE] * 4, [turned] * 4))
    assert order["section_presence"] == 0.0
    assert order["section_order"] == pytest.approx(1.0)
    assert order["words"] == 0.0
    presence = structure_distances(*structures([NOTE] * 4, [NOTE, NOTE, cut, cut]))
    assert presence["section_presence"] == pytest.approx(0.25)  # one of two, in half of the notes


def test_notes_without_sections_have_lengths_only():
    found = structure_distances(*structures(["no pain"], ["no pain at all"]))
    assert set(found) == {"words", "sentences", "words_per_sentence"}
    assert found["words"] == 1.0
