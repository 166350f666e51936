from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from casemix.errors import PayloadError
from casemix.modalities.text.data import Notes
from casemix.modalities.text.tokens import join, lines


def test_notes_survive_storage():
    notes = Notes(("Größe 1,80 m.\nÄ", "", "x" * 5000))
    assert Notes.from_table(notes.to_table()) == notes
    assert Notes.concat([notes.take(np.array([2])), notes]).texts[1] == notes.texts[0]


@pytest.mark.parametrize("bad", [(None,), (3.5,), ("a\0b",)])
def test_what_is_not_text_is_refused(bad):
    with pytest.raises(PayloadError, match="Note 0"):
        Notes(bad)


def test_a_table_without_texts_is_refused():
    with pytest.raises(PayloadError, match="column 'text'"):
        Notes.from_table(pa.table({"note": ["a"]}))


def test_sections_and_sentences_come_apart_and_together():
    note = "HISTORY: 63-year-old man. No HTN.\nPLAN: Home."
    assert [line.header for line in lines(note)] == ["HISTORY:", "PLAN:"]
    assert join(lines(note)) == note
