"""Drawing rows: several candidates per row wanted, one of which the critic chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from casemix.core import seeding
from casemix.core.batches import fixed_batches
from casemix.core.progress import Progress
from casemix.core.training import device
from casemix.modalities.tabular.nade.critic import Critic
from casemix.modalities.tabular.nade.network import Nade


@dataclass(frozen=True)
class Drawing:
    """How rows are drawn.

    Args:
        net: the network.
        critic: what chooses among candidates; None = the first one is taken.
        candidates: rows drawn for each row wanted.
        batch: rows drawn at a time; part of what makes a row bit-identical.
        seed: seed of the draws.
    """

    net: Nade
    critic: Critic | None
    candidates: int
    batch: int
    seed: int

    def rows(
        self, tokens: torch.Tensor, known: torch.Tensor, ids: Sequence[str], progress: Progress
    ) -> np.ndarray:
        """Return tokens int64 (n, d), each row from its id alone.

        Args:
            tokens: (n, d), anything where not known.
            known: bool (n, d).
            ids: sample ids, n.
            progress: where to report.
        """
        drawn = np.empty(tuple(tokens.shape), dtype=np.int64)
        where = device()
        net = self.net.to(where)
        with progress.step("rows", len(ids)) as bar:
            for at, used in fixed_batches(len(ids), self.batch):
                mine = [ids[i] for i in at]
                start = tokens[at].to(where), known[at].to(where)
                found = np.stack([self._candidate(net, k, *start, mine) for k in range(self._most)])
                drawn[at[:used]] = self._chosen(found, mine)[:used]
                bar.advance(used)
        net.to("cpu")
        return drawn

    @property
    def _most(self) -> int:
        """Candidates are drawn only where a critic has something to say."""
        return self.candidates if self.critic is not None and len(self.critic.roots) else 1

    def _candidate(
        self, net: Nade, k: int, tokens: torch.Tensor, known: torch.Tensor, ids: Sequence[str]
    ) -> np.ndarray:
        u = seeding.uniform(self.seed, ids, tokens.shape[1], stream=f"candidate {k}")
        return net.draw(tokens, known, torch.from_numpy(u).to(tokens.device)).cpu().numpy()

    def _chosen(self, found: np.ndarray, ids: Sequence[str]) -> np.ndarray:
        """Return one of the candidates (k, b, d) of each row, in proportion to their ratio."""
        k, b, d = found.shape
        if self.critic is None or k == 1:
            return found[0]
        score = self.critic.log_ratio(found.reshape(k * b, d)).reshape(k, b)
        u = seeding.uniform(self.seed, ids, k, stream="choice").T
        # The largest of scores with Gumbel noise is a draw in proportion to their exponentials.
        return found[np.argmax(score - np.log(-np.log(u)), axis=0), np.arange(b)]
