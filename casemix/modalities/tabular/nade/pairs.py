"""How much oftener two levels meet in a row than by chance, for columns of many levels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

_SHRINKAGE = 2.0  # pseudo-subjects of every pair of levels, at the rate of chance


class PairLogOdds(nn.Module):
    """Log-odds that a column's levels owe to the levels of other columns, pair by pair.

    Codes that never repeat in a row, or a cause and its injury, are dependences of single levels
    that a network of some hundred units smooths away. They are counted, not learnt by gradient.

    Args:
        sizes: tokens of each of the d columns.
        paired: the columns whose pairs are counted.
    """

    def __init__(self, sizes: Sequence[int], paired: Sequence[int]) -> None:
        super().__init__()
        self.pairs = list(itertools.combinations(paired, 2))
        for j, k in self.pairs:
            self.register_buffer(f"pair_{j}_{k}", torch.zeros(sizes[j], sizes[k]))

    def count(self, tokens: np.ndarray, subjects: np.ndarray) -> None:
        """Learn from rows (n, d) and whose they are, (n,); a subject counts once per pair."""
        owner = np.unique(subjects, return_inverse=True)[1]
        for j, k in self.pairs:
            table = getattr(self, f"pair_{j}_{k}")
            met = np.unique(np.column_stack([owner, tokens[:, j], tokens[:, k]]), axis=0)
            counts = np.zeros(tuple(table.shape))
            np.add.at(counts, (met[:, 1], met[:, 2]), 1.0)
            table.copy_(torch.from_numpy(_log_ratio(counts)))

    def of(self, j: int, tokens: torch.Tensor, known: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the log-odds of column j's tokens, (b, size), from each column it is paired with.

        Args:
            j: the column.
            tokens: rows, (b, d).
            known: whether a cell after j is known from the start, bool (b, d).
        """
        for first, second in self.pairs:
            table = getattr(self, f"pair_{first}_{second}")
            if second == j:
                yield table[tokens[:, first]]
            elif first == j and known[:, second].any():
                yield table.T[tokens[:, second]] * known[:, second, None]


def _log_ratio(counts: np.ndarray) -> np.ndarray:
    """Return the log of counts over what chance would give, drawn to 0, of the same shape."""
    total = max(counts.sum(), 1.0)
    chance = counts.sum(1, keepdims=True) * counts.sum(0, keepdims=True) / total
    return np.log((counts + _SHRINKAGE) / (chance + _SHRINKAGE)).astype(np.float32)
