"""A tiny real transformer, built here, as the encoder and the language model of notes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, BertConfig, BertModel

from casemix.errors import EncoderError
from casemix.modalities.text.base_model import save_base
from casemix.modalities.text.language_model import SmallModel, small_llama
from casemix.modalities.text.metrics import METRICS
from casemix.modalities.text.pretrained_encoder import (
    PretrainedEncoder,
    PretrainedLanguageModel,
    is_language_model,
)
from casemix.modalities.text.toy import toy
from casemix.modalities.text.vocabulary import small_tokenizer

NOTES = toy(12, seed=0)[0].payload.texts


@pytest.fixture(scope="module")
def causal(tmp_path_factory):
    """A language model of random weights in the hub's layout."""
    folder = tmp_path_factory.mktemp("causal")
    tokenizer = small_tokenizer(NOTES, 400)
    torch.manual_seed(0)
    model = small_llama(SmallModel(width=16, layers=1, heads=2), tokenizer, longest=64)
    save_base(model, tokenizer, folder)
    return str(folder)


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    """An encoder of random weights that does not continue texts."""
    folder = tmp_path_factory.mktemp("masked")
    tokenizer = small_tokenizer(NOTES, 400)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = BertModel(BertConfig(vocab_size=len(tokenizer), intermediate_size=32, **sizes))
    save_base(model, tokenizer, folder)
    return str(folder)


def test_features_are_the_mean_of_the_last_hidden_states(masked):
    encoder = PretrainedEncoder.load(masked)
    found = encoder.embed(NOTES)
    assert found.shape == (12, 16)
    for note, features in zip(NOTES, found, strict=True):
        tokens = encoder.tokenizer(note, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            alone = encoder.model(input_ids=tokens).last_hidden_state[0].mean(dim=0)
        np.testing.assert_allclose(features, alone, atol=1e-5)


def test_bits_are_those_of_the_model_s_own_loss(causal):
    judge = PretrainedLanguageModel.load(causal)
    model = AutoModelForCausalLM.from_pretrained(causal)
    for note, bits in zip(NOTES, judge.bits_of(NOTES), strict=True):
        tokens = judge.tokenizer(note, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            loss = model(input_ids=tokens, labels=tokens).loss.item()
        assert bits == pytest.approx(loss / math.log(2), abs=1e-4)


def test_only_a_causal_model_is_a_language_model(causal, masked):
    assert is_language_model(causal)
    assert not is_language_model(masked)


def test_long_and_empty_notes_have_finite_features(causal):
    notes = ["", "cough " * 500, *NOTES]
    assert np.isfinite(PretrainedEncoder.load(causal).embed(notes)).all()
    assert np.isfinite(PretrainedEncoder.load(causal).embed(["", ""])).all()
    assert np.isfinite(PretrainedLanguageModel.load(causal).bits_of(notes)).all()


@pytest.mark.parametrize("kind", ["causal", "masked"])
def test_metrics_take_the_encoder_and_name_it(kind, arms, request):
    folder = request.getfixturevalue(kind)
    data = replace(arms, encoder=folder, judges={})
    metrics = {metric.name: metric for metric in METRICS}
    mauve = metrics["mauve"].measure(data, 0)
    assert mauve.value > 0.8
    assert folder in mauve.note
    perplexity = metrics["perplexity_distance"].measure(data, 0)
    assert (folder in perplexity.note) == (kind == "causal")
    assert perplexity.value < 0.3


def test_a_missing_encoder_is_an_error(arms, tmp_path):
    data = replace(arms, encoder=str(tmp_path / "none"), judges={})
    for metric in METRICS:
        if metric.name in ("mauve", "perplexity_distance"):
            with pytest.raises(EncoderError, match="cannot be loaded"):
                metric.measure(data, 0)


def test_weights_that_are_not_safetensors_are_refused(masked, tmp_path):
    encoder = PretrainedEncoder.load(masked)
    encoder.model.config.save_pretrained(tmp_path)
    encoder.tokenizer.save_pretrained(tmp_path)
    torch.save(encoder.model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        PretrainedEncoder.load(str(tmp_path))
