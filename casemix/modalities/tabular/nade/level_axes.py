"""Axes of levels: numbers beside a token by which trees can part many levels at once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

_COMPONENTS = 2  # principal axes of an embedding


class LevelAxes(nn.Module):
    """Places of a column's levels by frequency, and by what a network makes of them.

    Tokens number levels in an order that says little. A tree that may split on their frequency and
    on the principal axes of their embedding finds levels that are drawn too often together;
    splits into any sets of levels fitted noise.

    Args:
        sizes: tokens of each column that gets axes, by the column's position in a row.
    """

    def __init__(self, sizes: Mapping[int, int]) -> None:
        super().__init__()
        self.columns = list(sizes)
        for j, size in sizes.items():
            # Saved: the signs of principal axes may differ between machines.
            self.register_buffer(f"axes_{j}", torch.zeros(size, 1 + _COMPONENTS))

    @torch.no_grad()
    def learn(self, j: int, share: torch.Tensor, embedding: torch.Tensor) -> None:
        """Place the levels of one column.

        Args:
            j: the column.
            share: of each token among the training rows, (size,).
            embedding: of each token, (size, hidden).
        """
        centred = embedding - share @ embedding
        axes = torch.linalg.svd(centred * share.sqrt()[:, None], full_matrices=False).Vh
        rank = torch.argsort(torch.argsort(share, descending=True, stable=True), stable=True)
        places = centred @ axes[:_COMPONENTS].T
        getattr(self, f"axes_{j}")[:, : 1 + places.shape[1]] = torch.column_stack([rank, places])

    def beside(self, rows: np.ndarray) -> np.ndarray:
        """Return tokens (n, d) with the axes of theirs beside them, float (n, d + 3 per column)."""
        axes = [getattr(self, f"axes_{j}").cpu().numpy()[rows[:, j]] for j in self.columns]
        return np.column_stack([rows, *axes])
