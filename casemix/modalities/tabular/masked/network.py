"""The network: rows with any cells hidden in, a distribution of each hidden cell out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from casemix.modalities.tabular.masked.tokens import MASKED

_NEVER = -30.0  # log share of a token that no training row has


class MaskedNetwork(nn.Module):
    """Residual MLP over the sum of the cells' embeddings, with one softmax per column.

    A row is ``tokens`` (b, d), each counted from its column's first row of the embedding, and
    ``places`` (b, d), the value of an ordered cell on a common scale, 0 where hidden.

    Args:
        counts: training rows per token of each of the d columns.
        along: the place of each token on its column's scale, 0 where the column has none; for
            each of the d columns. Tokens near each other there learn from each other.
        hidden: width of the residual stream.
        layers: residual blocks.
    """

    first: torch.Tensor
    log_share: torch.Tensor
    basis: torch.Tensor

    def __init__(
        self,
        counts: Sequence[np.ndarray],
        along: Sequence[np.ndarray],
        *,
        hidden: int,
        layers: int,
    ) -> None:
        super().__init__()
        self.sizes = [len(c) for c in counts]
        total = sum(self.sizes)
        first = np.cumsum([0, *self.sizes[:-1]])
        self.register_buffer("first", torch.from_numpy(first), persistent=False)
        share = torch.from_numpy(_log_share(counts))
        self.register_buffer("log_share", share, persistent=False)
        self.embedding = nn.EmbeddingBag(total, hidden, mode="sum")
        nn.init.normal_(self.embedding.weight, std=len(counts) ** -0.5)
        self.slope = nn.Parameter(torch.randn(len(counts), hidden) * len(counts) ** -0.5)
        self.curve = nn.Parameter(torch.zeros(len(counts), hidden))
        basis = np.concatenate([_basis(places) for places in along])
        self.register_buffer("basis", torch.from_numpy(basis), persistent=False)
        self.ordered = [bool(places.any()) for places in along]
        self.tilt = nn.Parameter(torch.zeros(len(counts), basis.shape[1], hidden))
        self.blocks = nn.ModuleList(_Block(hidden) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden)
        self.head = nn.Parameter(torch.randn(total, hidden) * 0.02 * hidden**-0.5)
        self.bias = nn.Parameter(torch.zeros(total))

    def forward(
        self,
        tokens: torch.Tensor,
        places: torch.Tensor,
        rows: torch.Tensor,
        targets: torch.Tensor,
        cells: Sequence[int],
        keep: Sequence[torch.Tensor] = (),
    ) -> torch.Tensor:
        """Return the negative log-likelihood of hidden cells, float32 (m,).

        Args:
            tokens: (b, d), hidden cells masked.
            places: (b, d).
            rows: the row of each hidden cell, column after column, (m,).
            targets: its token, (m,).
            cells: hidden cells per column; their sum is m.
            keep: factors of dropout of the sum of embeddings and of the inside of each block,
                (b, width) each; empty = nothing dropped.
        """
        h = self.state(tokens, places, keep)
        parts = zip(rows.split(list(cells)), targets.split(list(cells)), self.heads(), strict=True)
        return torch.cat(
            [
                functional.cross_entropy(head(h[row]), target, reduction="none")
                for row, target, head in parts
            ]
        )

    def state(
        self, tokens: torch.Tensor, places: torch.Tensor, keep: Sequence[torch.Tensor] = ()
    ) -> torch.Tensor:
        """Return what the network makes of rows, (b, hidden)."""
        h = self.embedding(tokens + self.first) + places @ self.slope
        h = h + places.square() @ self.curve
        whole = h.new_ones(1)
        first, *inner = keep or [whole] * (1 + len(self.blocks))
        h = h * first
        for block, kept in zip(self.blocks, inner, strict=True):
            h = block(h, kept)
        out: torch.Tensor = self.norm(h)
        return out

    def heads(self) -> list[_Head]:
        """Return the softmax of each column."""
        # Split once: a slice per column would have a gradient of full size per column.
        weight, bias, share, basis = (
            x.split(self.sizes) for x in (self.head, self.bias, self.log_share, self.basis)
        )
        return [
            _Head(weight[j] + basis[j] @ self.tilt[j] if smooth else weight[j], bias[j], share[j])
            for j, smooth in enumerate(self.ordered)
        ]


@dataclass(frozen=True)
class _Head:
    """The last layer of one column."""

    weight: torch.Tensor  # (size, hidden)
    bias: torch.Tensor  # (size,)
    log_share: torch.Tensor  # (size,)

    def __call__(self, state: torch.Tensor) -> torch.Tensor:
        """Return the log-odds of the tokens, float32 (b, size)."""
        return functional.linear(state, self.weight, self.bias).float() + self.log_share


class _Block(nn.Module):
    """Pre-norm residual MLP."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.widen = nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, 2 * hidden), nn.GELU())
        self.narrow = nn.Linear(2 * hidden, hidden)

    def forward(self, x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = x + self.narrow(self.widen(x) * keep)
        return out


def _log_share(counts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the log share of each column's tokens, one column after the other."""
    parts = []
    for count in counts:
        share = count / max(count.sum(), 1.0)
        part = np.where(count > 0, np.log(np.maximum(share, 1e-12)), _NEVER)
        part[MASKED] = _NEVER
        parts.append(part)
    return np.concatenate(parts).astype(np.float32)


def _basis(places: np.ndarray) -> np.ndarray:
    """Return Hermite polynomials of degree 1 to 4 of tokens' places, float32 (size, 4)."""
    x = places.astype(np.float64)
    columns = [x, (x**2 - 1) / 2**0.5, (x**3 - 3 * x) / 6**0.5, (x**4 - 6 * x**2 + 3) / 24**0.5]
    basis = np.stack(columns, axis=1) * (x != 0).any()
    basis[: MASKED + 1] = 0.0  # missing and masked have no place
    return basis.astype(np.float32)
