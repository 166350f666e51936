"""The network: each column's distribution given the columns before it and any others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from casemix.modalities.tabular.nade.pairs import PairLogOdds

_NEVER = -30.0  # log share of a token that no training row has
_SPREAD = 0.3  # of the embedding at the start
_OWN = 0.03  # of that which a token of a family has to itself


class Keep(NamedTuple):
    """Factors of dropout, the same for all columns of a row: each row has a thinned network.

    Args:
        hidden: (b, hidden).
        inner: (b, inner).
    """

    hidden: torch.Tensor
    inner: torch.Tensor


NOTHING_DROPPED = Keep(torch.ones(()), torch.ones(()))


class Nade(nn.Module):
    """Sums of embeddings of the known cells, and a small network per column that reads its sum.

    The sum for a column runs over the columns before it and over those known from the start, so
    one pass gives the distribution of every cell of a row. A row is tokens (b, d) in the order of
    the table's columns; the network has an order of its own.

    Args:
        counts: training rows per token of each of the d columns.
        places: place of each token on a common scale of ordered values, else 0, per column.
        order: the columns in the order in which they are drawn.
        hidden: width of the sums.
        inner: width of each column's own layer.
        dropout: share of both that each row does without, in training and when it is drawn: rows
            are drawn from a mixture of thinned networks, for which training was.
        paired: columns of many levels, whose pairs are counted by `count_pairs`.
        families: of each token, numbered over all columns from 1, 0 = none, (size, k) per column.
            Tokens of one family share part of their weights: rare ones have little else.

    Reference:
        Uria et al., Neural autoregressive distribution estimation, JMLR 2016; 17:205.
        Gal and Ghahramani, Dropout as a Bayesian approximation, ICML 2016.
    """

    order: torch.Tensor
    place_in_order: torch.Tensor
    first: torch.Tensor
    log_share: torch.Tensor
    place: torch.Tensor
    families: torch.Tensor

    def __init__(
        self,
        counts: Sequence[np.ndarray],
        places: Sequence[np.ndarray],
        order: Sequence[int],
        *,
        hidden: int,
        inner: int,
        dropout: float = 0.0,
        paired: Sequence[int] = (),
        families: Sequence[np.ndarray] = (),
    ) -> None:
        super().__init__()
        families = families or [np.zeros((len(c), 1), dtype=np.int64) for c in counts]
        counts, places = [counts[j] for j in order], [places[j] for j in order]
        d, self.sizes = len(order), [len(c) for c in counts]
        self.widths, self.dropout = (hidden, inner), dropout
        self.register_buffer("order", torch.tensor(list(order)), persistent=False)
        self.register_buffer("place_in_order", torch.argsort(self.order), persistent=False)
        first = torch.from_numpy(np.cumsum([0, *self.sizes[:-1]]))
        share = torch.from_numpy(np.concatenate([_log_share(c) for c in counts]))
        place = torch.from_numpy(np.concatenate(places).astype(np.float32))
        kin = torch.from_numpy(np.concatenate([families[j] for j in order]))  # (tokens, k)
        known = {"first": first, "log_share": share, "place": place, "families": kin}
        for name, value in known.items():
            self.register_buffer(name, value, persistent=False)
        self.pairs = PairLogOdds(self.sizes, [k for k, j in enumerate(order) if j in paired])
        own = torch.where(kin.any(dim=1), _OWN, _SPREAD)[:, None]
        self.embedding = nn.Parameter(own * torch.randn(sum(self.sizes), hidden))
        count, shared = int(kin.max()) + 1, _SPREAD * kin.shape[1] ** -0.5
        self.family_embedding = nn.Parameter(shared * torch.randn(count, hidden))
        self.slope = nn.Parameter(_SPREAD * torch.randn(d, hidden))
        self.scale = nn.Parameter(torch.ones(d, hidden))
        self.shift = nn.Parameter(torch.zeros(d, hidden))
        self.weight = nn.Parameter(torch.randn(d, hidden, inner) * hidden**-0.5)
        self.offset = nn.Parameter(torch.zeros(d, inner))
        self.head = nn.Parameter(torch.zeros(sum(self.sizes), inner))  # starts as the shares
        self.family_head = nn.Parameter(torch.zeros(count, inner))
        self.bias = nn.Parameter(torch.zeros(sum(self.sizes)))

    def kept(self, uniform: torch.Tensor) -> Keep:
        """Return what rows do without; ``uniform``: in (0, 1), (b, hidden + inner)."""
        kept = (uniform >= self.dropout).float() / (1.0 - self.dropout)
        return Keep(*kept.split(self.widths, dim=1))

    def count_pairs(self, tokens: np.ndarray, subjects: np.ndarray) -> None:
        """Learn which levels meet in rows (n, d) of so many subjects (n,), before training."""
        self.pairs.count(tokens[:, self.order.numpy()], subjects)

    def forward(
        self, tokens: torch.Tensor, known: torch.Tensor, keep: Keep = NOTHING_DROPPED
    ) -> torch.Tensor:
        """Return the negative log-likelihood of every cell that is not known, else 0, (b, d).

        Args:
            tokens: (b, d).
            known: whether a cell is known from the start, bool (b, d).
            keep: what the rows do without.
        """
        tokens, known = tokens[:, self.order], known[:, self.order]
        before = torch.ones(known.shape[1], known.shape[1], device=known.device).tril(-1)
        reads = torch.maximum(before, known[:, None].float())  # (b, d, d)
        total = torch.bmm(reads, self._cells(tokens)).transpose(0, 1)  # (d, b, hidden)
        state = self._state(total, self.shift[:, None], self.scale[:, None]) * keep.hidden
        inner = torch.baddbmm(self.offset[:, None], state, self.weight)
        inner = functional.silu(inner) * keep.inner  # (d, b, inner)
        parts = enumerate(zip(self._heads(), inner.unbind(0), tokens.T, strict=True))
        losses = [
            functional.cross_entropy(
                sum(self.pairs.of(j, tokens, known), head(own)), target, reduction="none"
            )
            for j, (head, own, target) in parts
        ]
        return (torch.stack(losses, dim=1) * ~known)[:, self.place_in_order]

    def _cells(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the embedding of each cell, (b, d, hidden)."""
        at = tokens + self.first
        embedded = functional.embedding(at, self._embeddings())
        return torch.addcmul(embedded, self.place[at][:, :, None], self.slope)

    def _embeddings(self) -> torch.Tensor:
        """Return the embedding of each token, (tokens, hidden)."""
        return self.embedding + self._of_families(self.family_embedding)

    def _of_families(self, weights: torch.Tensor) -> torch.Tensor:
        """Return the sum of the weights of each token's families, (tokens, width)."""
        return functional.embedding_bag(self.families, weights, mode="sum", padding_idx=0)

    def _heads(self) -> list[_Head]:
        """Return the softmax of each column."""
        # Split once: a slice per column would have a gradient of full size per column.
        head = self.head + self._of_families(self.family_head)
        parts = (x.split(self.sizes) for x in (head, self.bias, self.log_share))
        return [_Head(*own) for own in zip(*parts, strict=True)]

    def _state(self, total: torch.Tensor, shift: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        normed = functional.layer_norm(total + shift, total.shape[-1:])
        return functional.silu(normed * scale)


class Walk:
    """A network on its way through its columns, drawing a batch of rows.

    Args:
        net: the network.
        tokens: (b, d) in the network's order, anything where not known.
        known: whether a cell is known from the start, bool (b, d), in that order.
        keep: what the rows do without.
    """

    def __init__(self, net: Nade, tokens: torch.Tensor, known: torch.Tensor, keep: Keep) -> None:
        self._net, self._known, self._keep = net, known, keep
        self._heads, self._embeddings = net._heads(), net._embeddings()
        self._cells = net._cells(tokens) * known[:, :, None]
        self._total = self._cells.sum(1)  # (b, hidden): of the cells known so far

    def shares(self, j: int, drawn: torch.Tensor) -> torch.Tensor:
        """Return the probabilities of the tokens of the j-th column, float64 (b, size).

        Args:
            j: position in the order.
            drawn: rows whose cells before j are drawn, (b, d) in the order.
        """
        net, keep = self._net, self._keep
        total = self._total - self._cells[:, j]
        state = net._state(total, net.shift[j], net.scale[j]) * keep.hidden
        inner = functional.silu(torch.addmm(net.offset[j], state, net.weight[j])) * keep.inner
        pairs = net.pairs.of(j, drawn, self._known)
        return sum(pairs, self._heads[j](inner)).double().softmax(dim=1)

    def take(self, j: int, found: torch.Tensor) -> None:
        """Go on with these tokens, (b,), in the j-th column."""
        net, at = self._net, found + self._net.first[j]
        own = self._embeddings[at] + net.place[at][:, None] * net.slope[j]
        self._total = self._total - self._cells[:, j] + own


@dataclass(frozen=True)
class _Head:
    """The last layer of one column."""

    weight: torch.Tensor  # (size, inner)
    bias: torch.Tensor  # (size,)
    log_share: torch.Tensor  # (size,)

    def __call__(self, inner: torch.Tensor) -> torch.Tensor:
        """Return the log-odds of the tokens, float32 (b, size)."""
        return functional.linear(inner, self.weight, self.bias).float() + self.log_share


def _log_share(counts: np.ndarray) -> np.ndarray:
    share = counts / max(counts.sum(), 1.0)
    known = np.log(np.maximum(share, 1e-12))
    return np.where(counts > 0, known, _NEVER).astype(np.float32)
