"""A pretrained transformer that the user names: mean-pooled features of notes, and perplexity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer

from casemix.errors import EncoderError
from casemix.evaluation.statistics import FloatArray
from casemix.modalities.text.base_model import quiet

_BATCH = 16
_MOST_TOKENS = 512  # of a note that are read


@dataclass
class PretrainedEncoder:
    """Mean of a transformer's last hidden states over a note's tokens.

    Args:
        name: hub id or local folder.
        model: what turns tokens into hidden states.
        tokenizer: its tokenizer, with a padding token.
    """

    name: str
    model: Any
    tokenizer: Any
    _seen: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, name: str) -> PretrainedEncoder:
        """Read a model; safetensors weights only, and code that comes with it is never run.

        Raises:
            EncoderError: there is no such model, or no safetensors weights or tokenizer.
        """
        return cls(name, *_load(name, AutoModel))

    def embed(self, notes: Sequence[str]) -> FloatArray:
        """Return the features of the first 512 tokens of each note, (n, d)."""
        for batch in _batches([n for n in dict.fromkeys(notes) if n not in self._seen]):
            tokens, mask = _tokens(batch, self.tokenizer, self.model)
            with torch.no_grad():
                hidden = self.model(input_ids=tokens, attention_mask=mask).last_hidden_state
            weights = mask[..., None].to(hidden.dtype)  # (b, t, 1)
            pooled = (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
            self._seen.update(zip(batch, pooled.double().cpu().numpy(), strict=True))
        return np.array([self._seen[note] for note in notes], dtype=np.float64)


@dataclass
class PretrainedLanguageModel:
    """A pretrained causal language model.

    Args:
        name: hub id or local folder.
        model: what turns tokens into logits.
        tokenizer: its tokenizer, with a padding token.
    """

    name: str
    model: Any
    tokenizer: Any
    _seen: dict[str, float] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, name: str) -> PretrainedLanguageModel:
        """Read a model; safetensors weights only, and code that comes with it is never run.

        Raises:
            EncoderError: there is no such model, or no safetensors weights or tokenizer.
        """
        return cls(name, *_load(name, AutoModelForCausalLM))

    def bits_of(self, notes: Sequence[str]) -> FloatArray:
        """Return the mean surprise per token, the first left out, of each note in bits, (n,)."""
        for batch in _batches([n for n in dict.fromkeys(notes) if n not in self._seen]):
            tokens, mask = _tokens(batch, self.tokenizer, self.model)
            with torch.no_grad():
                logits = self.model(input_ids=tokens, attention_mask=mask).logits[:, :-1]
            loss = F.cross_entropy(logits.transpose(1, 2).float(), tokens[:, 1:], reduction="none")
            held = mask[:, 1:].to(loss.dtype)  # (b, t - 1)
            mean = (loss * held).sum(dim=1) / held.sum(dim=1).clamp(min=1)
            self._seen.update(zip(batch, (mean / np.log(2)).tolist(), strict=True))
        return np.array([self._seen[note] for note in notes], dtype=np.float64)


def is_language_model(name: str) -> bool:
    """Return whether a model says of itself that it continues texts.

    Raises:
        EncoderError: there is no such model.
    """
    try:
        with quiet():
            config = AutoConfig.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    return any(kind.endswith("ForCausalLM") for kind in config.architectures or ())


def _load(name: str, kind: Any) -> tuple[Any, Any]:
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
            model = kind.from_pretrained(name, use_safetensors=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.to(device).eval(), tokenizer


def _unreadable(name: str, error: Exception) -> EncoderError:
    return EncoderError(
        f"The encoder '{name}' cannot be loaded: {error}",
        allowed="a hub id, or a local folder with config.json, *.safetensors and a tokenizer",
        next_step="Check the name; without a network use a local folder or no encoder.",
    )


def _batches(notes: Sequence[str]) -> list[Sequence[str]]:
    longest_last = sorted(notes, key=lambda note: (len(note), note))  # little padding
    return [longest_last[i : i + _BATCH] for i in range(0, len(notes), _BATCH)]


def _tokens(notes: Sequence[str], tokenizer: Any, model: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token ids and mask, padded on the right, (b, t); an empty note is one padding."""
    room = getattr(model.config, "max_position_embeddings", _MOST_TOKENS)
    read = tokenizer(
        list(notes),
        padding=True,
        padding_side="right",
        truncation=True,
        max_length=min(_MOST_TOKENS, room, tokenizer.model_max_length),
    )
    ids = [row or [tokenizer.pad_token_id] for row in read["input_ids"]]
    mask = [row or [1] for row in read["attention_mask"]]
    tokens = torch.tensor(ids, dtype=torch.long, device=model.device)
    seen = torch.tensor(mask, dtype=torch.long, device=model.device)
    seen[:, 0] = 1
    return tokens, seen
