"""Drawing rows: several candidates per row wanted, one of which is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from casemix.core import seeding
from casemix.core.batches import fixed_batches
from casemix.core.progress import Step
from casemix.core.training import device
from casemix.modalities.tabular.nade.critic import Critic
from casemix.modalities.tabular.nade.network import Nade


@dataclass(frozen=True)
class Member:
    """A network, and the critic of its draws."""

    net: Nade
    critic: Critic


@dataclass(frozen=True)
class Drawing:
    """How rows are drawn.

    Args:
        members: take turns in drawing candidates.
        candidates: rows drawn for each row wanted.
        batch: rows drawn at a time; part of what makes a row bit-identical.
        seed: seed of the draws.
    """

    members: Sequence[Member]
    candidates: int
    batch: int
    seed: int

    def rows(
        self, tokens: torch.Tensor, known: torch.Tensor, ids: Sequence[str], bar: Step
    ) -> np.ndarray:
        """Return tokens int64 (n, d), each row from its id alone.

        Args:
            tokens: (n, d), anything where not known.
            known: bool (n, d).
            ids: sample ids, n.
            bar: is advanced by the rows.
        """
        drawn = np.empty(tuple(tokens.shape), dtype=np.int64)
        where = device()
        nets = [member.net.to(where) for member in self.members]
        for at, used in fixed_batches(len(ids), self.batch):
            start = tokens[at].to(where), known[at].to(where)
            drawn[at[:used]] = self._batch(*start, [ids[i] for i in at])[:used]
            bar.advance(used)
        for net in nets:
            net.to("cpu")
        return drawn

    def _batch(self, tokens: torch.Tensor, known: torch.Tensor, ids: Sequence[str]) -> np.ndarray:
        """Return one candidate per row, (b, d), in proportion to their weights."""
        found = [self._candidate(k, tokens, known, ids) for k in range(self.candidates)]
        rows, weights = (np.stack(part) for part in zip(*found, strict=True))
        u = seeding.uniform(self.seed, ids, len(rows), stream="choice").T
        # The largest of log-weights with Gumbel noise is a draw in proportion to the weights.
        return rows[np.argmax(weights - np.log(-np.log(u)), axis=0), np.arange(len(ids))]

    def _candidate(
        self, k: int, tokens: torch.Tensor, known: torch.Tensor, ids: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k-th rows, (b, d), and their log-weights, (b,)."""
        member = self.members[k % len(self.members)]
        cells, width = tokens.shape[1], sum(member.net.widths)
        u = seeding.uniform(self.seed, ids, cells + width, stream=f"candidate {k}")
        uniform, thinned = torch.from_numpy(u).to(tokens.device).split([cells, width], dim=1)
        keep = member.net.kept(thinned)
        rows = member.net.draw(tokens, known, uniform, keep)
        ahead = member.net.ahead(rows, known, keep).cpu().numpy()
        drawn = rows.cpu().numpy()
        return drawn, ahead + member.critic.log_ratio(drawn)
