"""Drawing rows: several candidates per row wanted, one of which is chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from casemix.core import seeding
from casemix.core.batches import fixed_batches
from casemix.core.progress import Step
from casemix.core.training import device
from casemix.modalities.tabular.nade.critic import Critic
from casemix.modalities.tabular.nade.network import Nade
from casemix.modalities.tabular.nade.raking import Raking


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
        raking: factors of the candidates' weights that all members share; None = none.
        candidates: rows drawn for each row wanted.
        batch: rows drawn at a time; part of what makes a row bit-identical.
        seed: seed of the draws.
    """

    members: Sequence[Member]
    raking: Raking | None
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
        for at, rows, weights in self._batches(tokens, known, ids):
            own = [ids[i] for i in at]
            u = seeding.uniform(self.seed, own, len(rows), stream="choice").T
            # The largest of log-weights with Gumbel noise is a draw in proportion to the weights.
            chosen = np.argmax(weights - np.log(-np.log(u)), axis=0)
            drawn[at] = rows[chosen, np.arange(len(at))]
            bar.advance(len(at))
        return drawn

    def weighted(
        self, tokens: torch.Tensor, known: torch.Tensor, ids: Sequence[str], bar: Step
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return all candidates of each row, (candidates, n, d), and their log-weights.

        Arguments as of `rows`.
        """
        shape = (self.candidates, *tokens.shape)
        drawn, log_weights = np.empty(shape, dtype=np.int64), np.empty(shape[:2])
        for at, rows, weights in self._batches(tokens, known, ids):
            drawn[:, at], log_weights[:, at] = rows, weights
            bar.advance(len(at))
        return drawn, log_weights

    def _batches(
        self, tokens: torch.Tensor, known: torch.Tensor, ids: Sequence[str]
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield the numbers of b rows, their candidates (k, b, d) and log-weights (k, b)."""
        where = device()
        nets = [member.net.to(where) for member in self.members]
        for at, used in fixed_batches(len(ids), self.batch):
            start = tokens[at].to(where), known[at].to(where), [ids[i] for i in at]
            found = [self._candidate(k, *start) for k in range(self.candidates)]
            rows, weights = (np.stack(part) for part in zip(*found, strict=True))
            yield at[:used], rows[:, :used], weights[:, :used]
        for net in nets:
            net.to("cpu")

    def _candidate(
        self, k: int, tokens: torch.Tensor, known: torch.Tensor, ids: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k-th rows, (b, d), and their log-weights, (b,)."""
        member = self.members[k % len(self.members)]
        u = seeding.uniform(self.seed, ids, tokens.shape[1], stream=f"candidate {k}")
        rows = member.net.draw(tokens, known, torch.from_numpy(u).to(tokens.device))
        ahead = member.net.ahead(rows, known).cpu().numpy()
        drawn = rows.cpu().numpy()
        raked = self.raking.log_weight(drawn) if self.raking else 0.0
        return drawn, ahead + member.critic.log_ratio(drawn) + raked
