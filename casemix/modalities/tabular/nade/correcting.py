"""What corrects the networks' draws: a critic of each, and factors for what the critics choose."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from casemix.core import seeding
from casemix.core.progress import Progress
from casemix.modalities.tabular.masked.table import TokenTable
from casemix.modalities.tabular.nade.critic import (
    SILENT,
    Contrast,
    Critic,
    CriticConfig,
    fit_critic,
)
from casemix.modalities.tabular.nade.drawing import Drawing, Member
from casemix.modalities.tabular.nade.network import Nade
from casemix.modalities.tabular.nade.raking import Raking

_DRAWS_UNSEEN = 2  # per row of the subjects that a network leaves out
_RAKED = 20_000  # most rows drawn to see how often each token comes out


def critic_of(
    net: Nade,
    learnt: torch.Tensor,
    unseen: torch.Tensor,
    given: int,
    config: CriticConfig,
    *,
    batch: int,
    seed: int,
    progress: Progress,
) -> Critic:
    """Fit a network's critic, on rows drawn given what training rows were given.

    Args:
        net: the network.
        learnt: tokens of the rows that it learnt, (n, d).
        unseen: tokens of those that it left out, (m, d).
        given: how many columns, the first ones, are only ever given.
        config: see `CriticConfig`.
        batch: rows drawn at a time.
        seed: seed of draws and trees.
        progress: is advanced by the rows drawn.
    """
    drawing = Drawing([Member(net, SILENT)], None, 1, batch, seed)

    def contrast(real: torch.Tensor, draws: int, name: str) -> Contrast:
        asked = _asked_like(real.repeat(draws, 1), given, name)
        with progress.step("rows for the critic", draws * len(real)) as bar:
            return Contrast(real.numpy(), drawing.rows(*asked, bar))

    seen = contrast(learnt, config.draws, "learnt")
    fresh = contrast(unseen, _DRAWS_UNSEEN, "unseen")
    return fit_critic(seen, fresh, config, seed=seeding.child(seed, "critic"))


def raking_of(
    members: Sequence[Member],
    tokens: torch.Tensor,
    table: TokenTable,
    *,
    candidates: int,
    batch: int,
    seed: int,
    progress: Progress,
) -> Raking:
    """Fit the factors for the rows that the critics choose.

    Args:
        members: the networks with their critics.
        tokens: of the training rows, (n, d).
        table: the vocabularies.
        candidates: rows drawn for each row wanted.
        batch: rows drawn at a time.
        seed: seed of the draws.
        progress: is advanced by the rows drawn.
    """
    order = seeding.generator(seed, "rows").permutation(len(tokens))[:_RAKED]
    asked = _asked_like(tokens[order], table.conditional, "raking")
    drawing = Drawing(members, None, candidates, batch, seed)
    with progress.step("rows for raking", len(order)) as bar:
        drawn = drawing.weighted(*asked, bar)
    return Raking.fit([column.counts for column in table.columns], table.conditional, *drawn)


def _asked_like(
    tokens: torch.Tensor, given: int, name: str
) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
    """Return rows with their first ``given`` columns known, as `Drawing` takes them."""
    known = (torch.arange(tokens.shape[1]) < given).expand(tokens.shape)
    return tokens, known, [f"{name}.{i}" for i in range(len(tokens))]
