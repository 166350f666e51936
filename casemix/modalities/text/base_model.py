"""The model under `text/causal_lm`: built on the spot, or loaded and given a LoRA adapter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft import LoraConfig, get_peft_model
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from casemix.core.training import seeded
from casemix.errors import FitError

START, END, PAD, SEPARATOR = "<start>", "<end>", "<pad>", "<note>"
_SPACE = "▁"
#: One tag or slot, a line break, a digit, a word with inner hyphens, or one other character.
_PIECE = r"▁?(?:<[^<>\s]+>|[^\W\d_]\w*(?:-\w+)*|\d|.)|\n"


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model and its tokenizer.

    Args:
        network: a transformers model, or a peft model around one.
        tokenizer: a fast tokenizer with padding and end tokens.
    """

    network: nn.Module
    tokenizer: Any


def build_small(
    texts: Sequence[str],
    tags: Sequence[str],
    *,
    width: int,
    layers: int,
    vocabulary: int,
    seed: int,
) -> LanguageModel:
    """Return an untrained small Llama whose tokenizer is learnt from these texts.

    Args:
        texts: training notes.
        tags: prompt tags and slots, one token each.
        width: hidden size, a multiple of 32.
        layers: transformer blocks.
        vocabulary: largest number of tokens besides the tags.
        seed: seed of the weights.
    """
    tokenizer = small_tokenizer(texts, tags, vocabulary)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LanguageModel(seeded(seed, lambda: LlamaForCausalLM(config)), tokenizer)


def small_tokenizer(
    texts: Sequence[str], tags: Sequence[str], vocabulary: int
) -> PreTrainedTokenizerFast:
    """Return a byte-pair tokenizer whose pieces do not cross words; tags are one token each."""
    inner = Tokenizer(models.BPE(unk_token=PAD))
    inner.normalizer = normalizers.Replace(" ", _SPACE)
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECE), "isolated")
    inner.decoder = decoders.Sequence([decoders.Fuse(), decoders.Replace(_SPACE, " ")])
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, min_frequency=2, show_progress=False)
    inner.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token=START, eos_token=END, pad_token=PAD
    )
    tokenizer.add_special_tokens({"additional_special_tokens": [SEPARATOR]})
    tokenizer.add_tokens(sorted(set(tags)))
    return tokenizer


def load_base(name: str) -> LanguageModel:
    """Load a causal language model by hub id or local folder; safetensors only.

    Raises:
        FitError: the model cannot be loaded.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
        network = AutoModelForCausalLM.from_pretrained(
            name, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise FitError(
            f"The base model '{name}' cannot be loaded.",
            given=str(error).splitlines()[0],
            next_step="Give a local folder with safetensors weights, a hub id that this machine "
            "can reach, or base='small'.",
        ) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return LanguageModel(network, tokenizer)


def with_adapter(base: LanguageModel, *, rank: int, seed: int) -> LanguageModel:
    """Return the base with a LoRA adapter (Hu et al., 2021) on its linear layers.

    Only the adapter's weights require a gradient afterwards.
    """
    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    adapted = seeded(seed, lambda: get_peft_model(base.network, config))
    return LanguageModel(adapted, base.tokenizer)


def save_base(model: LanguageModel, folder: Path) -> None:
    """Write a model and its tokenizer in the hub's own layout, for use as ``base=folder``."""
    model.network.save_pretrained(folder, safe_serialization=True)
    model.tokenizer.save_pretrained(folder)
