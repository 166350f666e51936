"""Batched sampling with a key-value cache and noise that belongs to the sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from casemix.core import seeding
from casemix.core.batches import fixed_batches
from casemix.core.progress import Step
from casemix.modalities.text.language_model import NoteWriter, positions
from casemix.modalities.text.seams import Seams


@dataclass(frozen=True)
class Decoding:
    """How tokens are drawn.

    Args:
        temperature: divides the logits, > 0.
        top_p: probability of the nucleus that is drawn from, in (0, 1].
        longest: most tokens of a note.
        end: the end token's id.
        banned: ids that are never drawn.
        seams: which tokens may touch; without it, any.
    """

    temperature: float
    top_p: float
    longest: int
    end: int
    banned: tuple[int, ...] = ()
    seams: Seams | None = None


def draw_notes(
    writer: NoteWriter,
    features: np.ndarray,
    prompt: tuple[np.ndarray, np.ndarray],
    decoding: Decoding,
    *,
    ids: Sequence[str],
    seed: int,
    stream: str,
    batch: int,
    bar: Step,
) -> list[list[int]]:
    """Return the tokens of one note per row, without the end token.

    Each token takes one uniform number that belongs to (seed, stream, sample id, position), and
    batches have one fixed size, so a note does not depend on what else is asked for.
    """
    device = next(writer.parameters()).device
    tokens: list[list[int]] = []
    for rows, used in fixed_batches(len(ids), batch):
        noise = seeding.uniform(seed, [ids[i] for i in rows], decoding.longest, stream=stream)
        given = [torch.from_numpy(part[rows]).to(device) for part in (features, *prompt)]
        drawn = _draw(writer, given, noise, decoding)[:used]
        tokens += [_until(row, decoding.end) for row in drawn.tolist()]
        bar.advance(used)
    return tokens


def _draw(
    writer: NoteWriter, given: Sequence[torch.Tensor], noise: np.ndarray, decoding: Decoding
) -> np.ndarray:
    """Return token ids, int64 (b, t)."""
    features, prompt, mask = given
    whole = writer.head(features, prompt)
    seen = torch.cat([mask, mask.new_ones(len(mask), whole.shape[1] - mask.shape[1])], dim=1)
    out = writer.lm(
        inputs_embeds=whole,
        attention_mask=seen,
        position_ids=positions(seen),
        use_cache=True,
        logits_to_keep=1,
    )
    drawn: list[np.ndarray] = []
    token = np.full(len(noise), writer.begin)
    done = np.zeros(len(noise), dtype=bool)
    for u in noise.T:  # (b,)
        token = _pick(out.logits[:, -1].float().cpu().numpy(), u, token, decoding)
        drawn.append(token)
        done |= token == decoding.end
        if done.all():
            break
        seen = torch.cat([seen, seen.new_ones(len(seen), 1)], dim=1)
        out = writer.lm(
            input_ids=torch.from_numpy(token)[:, None].to(seen.device),
            attention_mask=seen,
            position_ids=positions(seen)[:, -1:],
            past_key_values=out.past_key_values,
            use_cache=True,
        )
    return np.stack(drawn, axis=1)


def _pick(
    logits: np.ndarray, u: np.ndarray, previous: np.ndarray, decoding: Decoding
) -> np.ndarray:
    """Draw one token per row from the nucleus of its distribution.

    Args:
        logits: (b, v).
        u: uniform numbers, (b,).
        previous: the tokens before, (b,).
        decoding: temperature, nucleus, banned tokens and seams.

    Reference:
        Holtzman et al., The curious case of neural text degeneration, ICLR 2020.
    """
    scaled = logits.astype(np.float64) / decoding.temperature
    scaled[:, list(decoding.banned)] = -np.inf
    if decoding.seams is not None:
        scaled[decoding.seams.barred(previous)] = -np.inf
    odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    order = np.argsort(-odds, axis=1, kind="stable")
    ranked = np.take_along_axis(odds, order, axis=1)
    reached = np.cumsum(ranked, axis=1) / ranked.sum(axis=1, keepdims=True)  # (b, v)
    # A token is in the nucleus if the tokens before it do not fill it yet.
    size = 1 + (reached[:, :-1] < decoding.top_p).sum(axis=1)
    top = np.take_along_axis(reached, size[:, None] - 1, axis=1)[:, 0]
    place = np.minimum((reached <= (u * top)[:, None]).sum(axis=1), size - 1)
    return np.take_along_axis(order, place[:, None], axis=1)[:, 0]


def _until(row: list[int], end: int) -> list[int]:
    return row[: row.index(end)] if end in row else row
