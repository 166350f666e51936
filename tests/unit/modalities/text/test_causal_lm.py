"""The language model writes what the conditions say; LoRA changes the adapter alone."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file

from casemix.core.training import TrainConfig
from casemix.errors import FitError
from casemix.modalities.text.generators.causal_lm import CausalLM, Config
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
