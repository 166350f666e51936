"""Drawing rows: cells that are given stay, the others are uncovered step by step."""

from __future__ import annotations

from collections.abc import Sequence

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


@torch.inference_mode()
def uncover(
    net: MaskedNetwork,
    tokens: torch.Tensor,
    places: torch.Tensor,
    uniform: torch.Tensor,
    steps: Sequence[Sequence[int]],
    tables: Sequence[torch.Tensor],
) -> torch.Tensor:
    """Return rows without hidden cells, int64 (b, d).

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
    for columns in steps:
        if not bool((tokens[:, list(columns)] == MASKED).any()):
            continue
        state = net.state(tokens, places)
        for j in columns:
            drawn = _draw(heads[j](state), uniform[:, j])
            free = tokens[:, j] == MASKED
            tokens[:, j] = torch.where(free, drawn, tokens[:, j])
            place = _along(tables[j][drawn], uniform[:, tokens.shape[1] + j])
            places[:, j] = torch.where(free, place, places[:, j])
    return tokens


def _draw(logits: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Return one token per row, (b,), by inversion of its distribution function."""
    upper = logits.double().softmax(dim=1).cumsum(dim=1)  # (b, size)
    drawn = (upper < (uniform * upper[:, -1])[:, None]).sum(dim=1)
    return drawn.clamp(max=logits.shape[1] - 1)


def _along(places: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Return the place a share ``uniform`` (b,) of the way along each row of places (b, k)."""
    at = uniform.to(places.dtype) * (places.shape[1] - 1)
    low = at.long().clamp(max=places.shape[1] - 2)[:, None]
    ends = places.gather(1, torch.cat([low, low + 1], dim=1))  # (b, 2)
    return torch.lerp(ends[:, 0], ends[:, 1], at - low[:, 0])
