"""Sampling notes in batches with a key-value cache and noise by sample id."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from casemix.core import seeding
from casemix.core.batches import fixed_batches
from casemix.core.progress import Step
from casemix.modalities.text.base_model import LanguageModel


@torch.inference_mode()
def write_notes(
    model: LanguageModel,
    prompts: Sequence[list[int]],
    ids: Sequence[str],
    *,
    most_tokens: int,
    width: int,
    batch_size: int,
    temperature: float,
    top_p: float,
    seed: int,
    step: Step | None = None,
) -> list[str]:
    """Return one text per prompt.

    The token at each place is drawn by inverting the cumulative distribution at a number that
    depends on the sample id and the place only; batches are padded to one shape, so a text does
    not depend on which others are written.

    Args:
        model: a causal language model in evaluation mode.
        prompts: token ids of each prompt, at most ``width`` each.
        ids: sample ids.
        most_tokens: longest text.
        width: every prompt is padded to this many tokens, on the left.
        batch_size: prompts at a time.
        temperature: divides the logits.
        top_p: share of the probability that is kept (Holtzman et al., 2020).
        seed: seed.
        step: a progress bar that counts texts.
    """
    u = seeding.uniform(seed, ids, most_tokens, stream="tokens")
    texts: list[str] = []
    for rows, used in fixed_batches(len(prompts), batch_size):
        batch = [prompts[i] for i in rows]
        tokens = _batch(model, batch, u[rows], width, temperature, top_p)
        texts += [_decode(model, row) for row in tokens[:used]]
        if step is not None:
            step.advance(used)
    return texts


def _batch(
    model: LanguageModel,
    prompts: Sequence[list[int]],
    u: np.ndarray,
    width: int,
    temperature: float,
    top_p: float,
) -> np.ndarray:
    pad, end = model.tokenizer.pad_token_id, model.tokenizer.eos_token_id
    place = next(model.network.parameters()).device
    ids = torch.full((len(prompts), width), pad)  # (b, width)
    seen = torch.zeros((len(prompts), width + u.shape[1]), dtype=torch.long)
    for i, prompt in enumerate(prompts):
        ids[i, width - len(prompt) :] = torch.tensor(prompt)
        seen[i, width - len(prompt) :] = 1
    ids, seen = ids.to(place), seen.to(place)
    positions = (seen.cumsum(1) - 1).clamp(min=0)
    chance = torch.from_numpy(u).to(place, torch.float64)
    written = torch.full(u.shape, end, device=place)  # (b, most)
    open_ = torch.ones(len(prompts), dtype=torch.bool, device=place)
    cache, current = None, ids
    for t in range(u.shape[1]):
        until = width + t
        out = model.network(
            input_ids=current,
            attention_mask=seen[:, :until],
            position_ids=positions[:, :until][:, -current.shape[1] :],
            past_key_values=cache,
            use_cache=True,
        )
        cache = out.past_key_values
        token = _draw(out.logits[:, -1].double() / temperature, chance[:, t], top_p, pad)
        token = torch.where(open_, token, torch.full_like(token, end))
        written[:, t] = token
        open_ &= token != end
        if not open_.any():
            break
        current = token[:, None]
    return written.cpu().numpy()


def _draw(logits: torch.Tensor, u: torch.Tensor, top_p: float, pad: int) -> torch.Tensor:
    """Return one token per row, (b,), from the smallest set that holds ``top_p``."""
    logits[:, pad] = -torch.inf
    share, order = logits.softmax(-1).sort(dim=-1, descending=True, stable=True)
    before = share.cumsum(-1) - share
    share = share.masked_fill(before >= top_p, 0.0)
    reached = share.cumsum(-1) >= u[:, None] * share.sum(-1, keepdim=True)
    return order.gather(1, reached.int().argmax(-1, keepdim=True)).squeeze(1)


def _decode(model: LanguageModel, tokens: np.ndarray) -> str:
    end = model.tokenizer.eos_token_id
    kept = tokens[: int(np.argmax(tokens == end))] if (tokens == end).any() else tokens
    text = model.tokenizer.decode(kept.tolist(), clean_up_tokenization_spaces=False)
    return str(text).strip().replace("\0", "")
