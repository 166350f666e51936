"""A causal language model that reads a patient's plan as a soft prefix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from casemix.core.training import Loss
from casemix.modalities.text.vocabulary import IGNORED


@dataclass(frozen=True)
class SmallModel:
    """Size of the model that is built and trained on the spot (Llama architecture).

    Args:
        width: hidden size.
        layers: transformer blocks.
        heads: attention heads; divides the width.
        vocabulary: most tokens of its tokenizer, >= 400; it writes no word beyond them.
    """

    width: int = 128
    layers: int = 2
    heads: int = 4
    vocabulary: int = 3000


def small_llama(size: SmallModel, tokenizer: Any, *, longest: int) -> LlamaForCausalLM:
    """Return an untrained Llama for a tokenizer; ``longest`` is in tokens."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=size.width,
            intermediate_size=3 * size.width,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            max_position_embeddings=longest,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


class NoteWriter(nn.Module):
    """A language model after a text prompt, a soft prefix and the begin token.

    Args:
        lm: any causal language model of transformers, or its peft wrapper.
        features: width of a plan's features.
        count: vectors of the soft prefix; 0 = none.
        begin: the begin token's id.
    """

    def __init__(self, lm: Any, features: int, count: int, begin: int) -> None:
        super().__init__()
        self.lm = lm
        self.count = count
        self.begin = begin
        width = lm.get_input_embeddings().weight.shape[1]
        self.prefix = _projection(features, count * width) if count else None

    def head(self, features: torch.Tensor, prompt: torch.Tensor) -> torch.Tensor:
        """Return the embeddings before the note, (b, l + count + 1, w)."""
        embed = self.lm.get_input_embeddings()
        begin = embed(torch.full((len(features), 1), self.begin, device=features.device))
        if self.prefix is None:
            return torch.cat([embed(prompt), begin], dim=1)
        soft = self.prefix(features).unflatten(1, (self.count, -1))  # (b, count, w)
        return torch.cat([embed(prompt), soft.to(begin.dtype), begin], dim=1)

    def forward(
        self,
        features: torch.Tensor,
        prompt: torch.Tensor,
        mask: torch.Tensor,
        targets: torch.Tensor,
    ) -> torch.Tensor:
        """Return the mean negative log-likelihood per token, a scalar.

        Args:
            features: (b, d).
            prompt: token ids (b, l), l may be 0.
            mask: which of them are tokens, (b, l).
            targets: note tokens (b, t), `IGNORED` after the end.
        """
        head = self.head(features, prompt)
        body = self.lm.get_input_embeddings()(targets[:, :-1].clamp(min=0))
        whole = torch.cat([head, body], dim=1)  # (b, l + count + t, w)
        seen = torch.cat([mask, mask.new_ones(len(mask), whole.shape[1] - mask.shape[1])], dim=1)
        logits = self.lm(
            inputs_embeds=whole,
            attention_mask=seen,
            position_ids=positions(seen),
            logits_to_keep=targets.shape[1],
            use_cache=False,
        ).logits  # (b, t, v)
        return F.cross_entropy(
            logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED
        )


def _projection(features: int, width: int) -> nn.Linear:
    layer = nn.Linear(features, width)
    # The prefix starts at the scale of the embeddings that the model knows.
    nn.init.normal_(layer.weight, std=0.02 / max(features, 1) ** 0.5)
    nn.init.zeros_(layer.bias)
    return layer


def positions(seen: torch.Tensor) -> torch.Tensor:
    """Return position ids of left-padded rows."""
    return (seen.cumsum(dim=1) - 1).clamp(min=0)


def note_loss(
    features: np.ndarray,
    prompt: tuple[np.ndarray, np.ndarray],
    targets: np.ndarray,
    *,
    dropout: float,
) -> Loss:
    """Return the training loss over these notes.

    Args:
        features: (n, d).
        prompt: see `prompt_tokens`.
        targets: see `TokenisedNotes`.
        dropout: share of the features' cells that a step hides, so that the writer also
            manages with what is not known.
    """
    lengths = (targets != IGNORED).sum(axis=1)
    plans, (ids, mask), wanted = (
        torch.from_numpy(features),
        tuple(map(torch.from_numpy, prompt)),
        torch.from_numpy(targets),
    )

    def loss(model: nn.Module, rows: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
        here = rows.cpu()
        longest = int(lengths[here.numpy()].max())
        seen = plans[here]
        kept = torch.rand(seen.shape, generator=noise) >= dropout
        batch = (seen * kept, ids[here], mask[here], wanted[here, :longest])
        return model(*(part.to(rows.device) for part in batch))

    return loss
