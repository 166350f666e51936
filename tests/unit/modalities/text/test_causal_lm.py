"""The language model writes what the conditions say; LoRA changes the adapter alone."""

from __future__ import annotations

import copy
import re
import shutil
import warnings
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from huggingface_hub.utils import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)
from safetensors.numpy import load_file
from transformers.utils import logging as bars

from casemix.core.training import TrainConfig
from casemix.errors import FitError
from casemix.modalities.text.generators.causal_lm import CausalLM, Config
from casemix.modalities.text.realise import Repairs
from casemix.modalities.text.toy import toy

WORD = {"a": "asthma", "b": "bronchitis"}


@pytest.fixture(scope="module")
def small():
    data, given = toy(96, seed=0)
    return CausalLM.tiny().fit(data, given, seed=0)


def test_stated_facts_are_those_of_the_conditions(small):
    _, given = toy(40, seed=5)
    notes = small.generate(given, seed=1).payload.texts
    wrong = stated = 0
    for note, row in zip(notes, given.values.to_dict("records"), strict=True):
        found = re.search(r"Score (\d\.\d\d)", note)
        named = [w for w in WORD.values() if w in note]
        stated += len(named) + bool(found)
        wrong += sum(w != WORD[row["group"]] for w in named)
        wrong += bool(found) and abs(float(found[1]) - row["severity"]) > 0.006
    assert stated >= 30
    assert wrong == 0


def test_every_word_stands_in_notes_of_several_patients(small):
    data, _ = toy(96, seed=0)
    wanted = toy(40, seed=5)[1]
    counts = Counter(w for note in data.payload.texts for w in set(re.findall("[A-Za-z]+", note)))
    for temperature in (0.9, 3.0):
        wild = replace(small.config, temperature=temperature, top_p=1.0, mend=False, tries=0)
        writer = copy.copy(small)
        writer.config = wild
        notes = writer.generate(wanted, seed=1).payload.texts
        written = {w for note in notes for w in re.findall("[A-Za-z]+", note)}
        assert len(written) >= 8
        assert all(counts[word] >= 2 for word in written)


def test_notes_that_are_not_mended_may_contradict_their_patients(small):
    _, given = toy(40, seed=5)
    plain = copy.copy(small)
    plain.config = replace(small.config, temperature=2.0, mend=False, tries=0)
    notes = plain.generate(given, seed=1).payload.texts
    assert plain.repairs == Repairs(notes=40)
    groups = given.values["group"]
    wrong = [WORD[g] not in n for g, n in zip(groups, notes, strict=True) if "Known" in n]
    assert any(wrong)


def test_saving_and_loading_print_nothing_and_leave_the_bars_as_they_were(small, tmp_path, capfd):
    data, given = toy(16, seed=2)
    train = TrainConfig(steps=2, batch_size=8, ema_decay=0)

    def everything(folder):
        small.save(folder / "small")
        CausalLM.load(folder / "small")
        base = str(folder / "small" / "model")
        tuned = CausalLM(Config(base=base, rank=2, max_tokens=60, tries=0, train=train))
        tuned.fit(data, given, seed=0).save(folder / "tuned")
        CausalLM.load(folder / "tuned")

    shown, fetching = bars.is_progress_bar_enabled(), not are_progress_bars_disabled()
    try:
        for name, switch in (("on", bars.enable_progress_bar), ("off", bars.disable_progress_bar)):
            switch()
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                everything(tmp_path / name)
            assert bars.is_progress_bar_enabled() == (name == "on")
            assert are_progress_bars_disabled() == (name == "off")
    finally:
        (bars.enable_progress_bar if shown else bars.disable_progress_bar)()
        (enable_progress_bars if fetching else disable_progress_bars)()
    assert capfd.readouterr() == ("", "")


def test_lora_changes_the_adapter_and_nothing_else(small, tmp_path):
    small.save(tmp_path / "small")
    base = tmp_path / "base"
    shutil.copytree(tmp_path / "small" / "model", base)
    before = load_file(base / "model.safetensors")
    data, given = toy(48, seed=2)
    train = TrainConfig(steps=6, batch_size=8, learning_rate=1e-2, ema_decay=0)
    tuned = CausalLM(Config(base=str(base), rank=2, max_tokens=60, tries=0, train=train))
    tuned.fit(data, given, seed=0)
    tuned.save(tmp_path / "tuned")
    after = load_file(base / "model.safetensors")
    assert all(np.array_equal(before[k], after[k]) for k in before)
    adapter = load_file(tmp_path / "tuned" / "adapter" / "adapter_model.safetensors")
    assert any(np.abs(v).max() > 0 for k, v in adapter.items() if "lora_B" in k)
    assert not (tmp_path / "tuned" / "model").exists()
    again = CausalLM.load(tmp_path / "tuned").generate(given, seed=1).payload
    assert again == tuned.generate(given, seed=1).payload


def test_a_base_that_is_not_there_is_explained():
    data, given = toy(16, seed=0)
    with pytest.raises(FitError, match="cannot be loaded"):
        CausalLM(Config(base="/nowhere/model")).fit(data, given, seed=0)


def test_few_notes_get_few_steps():
    data, given = toy(16, seed=0)
    config = Config(epochs=1, train=TrainConfig(steps=10**6, batch_size=8), max_tokens=40)
    CausalLM(config).fit(data, given, seed=0)  # two steps, not a million
