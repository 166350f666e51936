"""Drawing rows: cells that are given stay, the others are uncovered step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from casemix.modalities.tabular.masked.network import MaskedNetwork
from casemix.modalities.tabular.masked.tokens import MASKED


def groups(order: Sequence[int], entropies: Sequence[float], steps: int) -> list[list[int]]:
    """Return the columns to uncover in each step: consecutive ones of the order.

    Columns of one step are drawn independently of each other given the cells before them. What
    that loses is less than their entropy, so each step gets about the same sum of it.

    >>> groups([2, 0, 1], [1.0, 0.0, 0.1], 2)
    [[2], [0, 1]]
    """
    if steps >= len(order):
        return [[j] for j in order]
    total = sum(entropies) or 1.0
    found: list[list[int]] = [[] for _ in range(steps)]
    before = 0.0
    for j in order:
        middle = before + entropies[j] / 2
        found[min(int(steps * middle / total), steps - 1)].append(j)
        before += entropies[j]
    return [group for group in found if group]


class Uncovered(NamedTuple):
    """Rows without hidden cells.

    Args:
        tokens: int64 (b, d).
        places: the same on a common scale, (b, d).
        log_probability: of the tokens that were drawn, each given those before it, (b,).
    """

    tokens: torch.Tensor
    places: torch.Tensor
    log_probability: torch.Tensor


@torch.inference_mode()
def uncover(
    net: MaskedNetwork,
    tokens: torch.Tensor,
    places: torch.Tensor,
    uniform: torch.Tensor,
    steps: Sequence[Sequence[int]],
    tables: Sequence[torch.Tensor],
) -> Uncovered:
    """Draw the hidden cells of rows.

    Args:
        net: the network.
        tokens: rows, hidden cells masked, (b, d).
        places: the same on a common scale, 0 where hidden, (b, d).
        uniform: numbers in (0, 1), (b, 2 d): per cell one that draws its token, then as many
            that draw places within tokens.
        steps: the columns uncovered in each step.
        tables: per column, the places along each of its tokens, (size, k).
    """
    tokens, places, heads = tokens.clone(), places.clone(), net.heads()
    total = torch.zeros(len(tokens), dtype=torch.float64, device=tokens.device)
    for columns in steps:
        if not bool((tokens[:, list(columns)] == MASKED).any()):
            continue
        state = net.state(tokens, places)
        for j in columns:
            shares = heads[j](state).double().softmax(dim=1)
            drawn = _draw(shares, uniform[:, j])
            free = tokens[:, j] == MASKED
            total += shares.gather(1, drawn[:, None])[:, 0].log() * free
            tokens[:, j] = torch.where(free, drawn, tokens[:, j])
            place = _along(tables[j][drawn], uniform[:, tokens.shape[1] + j])
            places[:, j] = torch.where(free, place, places[:, j])
    return Uncovered(tokens, places, total)


@torch.inference_mode()
def log_probability(
    net: MaskedNetwork,
    tokens: torch.Tensor,
    places: torch.Tensor,
    steps: Sequence[Sequence[int]],
) -> torch.Tensor:
    """Return how likely whole rows are to be drawn where nothing is known, float64 (b,).

    Args:
        net: the network.
        tokens: rows without hidden cells, (b, d).
        places: the same on a common scale, (b, d).
        steps: the columns uncovered in each step.
    """
    shown, along, heads = torch.full_like(tokens, MASKED), torch.zeros_like(places), net.heads()
    total = torch.zeros(len(tokens), dtype=torch.float64, device=tokens.device)
    for columns in steps:
        state = net.state(shown, along)
        for j in columns:
            found = heads[j](state).double().log_softmax(dim=1)
            total += found.gather(1, tokens[:, j, None])[:, 0]
            shown[:, j], along[:, j] = tokens[:, j], places[:, j]
    return total


def _draw(shares: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Return one token per row, (b,), by inversion of its distribution function."""
    upper = shares.cumsum(dim=1)  # (b, size)
    drawn = (upper < (uniform * upper[:, -1])[:, None]).sum(dim=1)
    return drawn.clamp(max=shares.shape[1] - 1)


def _along(places: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Return the place a share ``uniform`` (b,) of the way along each row of places (b, k)."""
    at = uniform.to(places.dtype) * (places.shape[1] - 1)
    low = at.long().clamp(max=places.shape[1] - 2)[:, None]
    ends = places.gather(1, torch.cat([low, low + 1], dim=1))  # (b, 2)
    return torch.lerp(ends[:, 0], ends[:, 1], at - low[:, 0])
