"""Empty, very long, foreign and identical notes give sane notes or a clear error."""

from __future__ import annotations

import pytest

from casemix.core import registry
from casemix.core.samples import Samples
from casemix.errors import FitError
from casemix.modalities.text.data import Notes
from casemix.modalities.text.evaluators.standard import Standard
from casemix.modalities.text.toy import toy

METHODS = [name for name in registry.names("generators") if name.startswith("text/")]
TRAINED = ["text/causal_lm", "text/template"]
PLAIN = toy(16, seed=0)[0].payload.texts
ODD = {
    "half of them empty": [*PLAIN[:8], *[""] * 8],
    "ten thousand words": [f"{note} {'and so on ' * 3_300}" for note in PLAIN],
    "Chinese": [f"患者{40 + i}岁、发热、无咳嗽。{'CT' * (i % 2)}" for i in range(16)],
    "Arabic": ["حمى وسعال"] * 16,
    "emoji": [f"Mood 🙂{'👨‍👩‍👧' * (i % 3)}, cafe\u0301 {i}" for i in range(16)],
    "all the same": ["Normal."] * 16,
    "words that look like marks": [f"Seen <n5>, <n99>, <0x41> and </s> {i}" for i in range(16)],
}


def odd(texts):
    data, given = toy(len(texts), seed=0)
    return Samples("text", data.index, Notes(tuple(texts))), given


def test_the_methods_are_all_here():
    assert {*TRAINED, "text/copy_training", "text/marginals"} <= set(METHODS)


@pytest.mark.parametrize("texts", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", METHODS)
def test_odd_notes_are_learnt_and_written(name, texts):
    data, given = odd(texts)
    made = registry.load("generators", name).tiny().fit(data, given, seed=0)
    notes = made.generate(given, seed=1).payload.texts
    assert len(notes) == 16
    assert any(notes)
    characters = set("".join(texts)) | set("0123456789")
    assert set("".join(notes)) <= characters


@pytest.mark.parametrize("texts", ODD.values(), ids=ODD)
def test_odd_notes_are_judged(texts):
    data, _ = odd(texts)
    judge = Standard().fit(data, seed=0)
    assert len(judge.findings(data)) == len(judge.embed(data)) == 16


@pytest.mark.parametrize("texts", [PLAIN[:1], [""] * 16, [" \n\t "] * 16])
@pytest.mark.parametrize("name", TRAINED)
def test_too_few_notes_are_an_error(name, texts):
    data, given = odd(texts)
    with pytest.raises(FitError, match="so few notes"):
        registry.load("generators", name).tiny().fit(data, given, seed=0)


@pytest.mark.parametrize("texts", [PLAIN[:1], [""] * 16])
def test_too_few_notes_cannot_be_judged(texts):
    data, _ = odd(texts)
    with pytest.raises(FitError, match="notes"):
        Standard().fit(data, seed=0)


def test_a_long_note_is_cut_and_counted(caplog):
    data, given = odd(ODD["ten thousand words"])
    made = registry.load("generators", "text/causal_lm").tiny().fit(data, given, seed=0)
    assert made.truncated == 16
    assert "16 notes were cut" in caplog.text
