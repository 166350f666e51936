"""Cells as tokens: missing, a level or common number, or a quantile bin of the other numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from casemix.core.fields import Field, Kind
from casemix.modalities.tabular.sequential.column import CONTINUOUS, Column

#: The token of a hidden cell. It takes the place of a column's continuous state, which is split
#: into bins.
MASKED = CONTINUOUS

_WITHIN = np.linspace(0.01, 0.99, 9)  # where in a bin its places are tabled


@dataclass(frozen=True)
class TokenColumn:
    """One column's vocabulary: missing, masked, levels or common numbers, then quantile bins.

    Args:
        column: states and smoothed distribution of the cells.
        edges: borders of the bins in normal scores, (bins + 1,); empty where there are none.
        counts: training rows per token, (size,).
    """

    column: Column
    edges: np.ndarray
    counts: np.ndarray

    @classmethod
    def fit(
        cls,
        field: Field,
        cells: np.ndarray,
        owners: np.ndarray,
        *,
        bins: int,
        rows_per_bin: int,
    ) -> TokenColumn:
        """Learn the vocabulary.

        Args:
            field: the column's field.
            cells: (n,); see `sequential.column.to_cells`.
            owners: number of the subject of each cell, (n,).
            bins: most quantile bins.
            rows_per_bin: least rows of each.
        """
        column = Column.fit(field, cells, owners)
        states, scores = column.encode(cells)
        free = scores[states == CONTINUOUS]
        edges = _edges(free, min(bins, len(free) // rows_per_bin))
        unseen = cls(column, edges, np.zeros(column.states + max(len(edges) - 1, 0)))
        tokens, _ = unseen.encode(cells)
        return cls(column, edges, np.bincount(tokens, minlength=unseen.size).astype(np.float64))

    @property
    def size(self) -> int:
        """The number of tokens."""
        return len(self.counts)

    def encode(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return tokens int64 (n,), and places in [-3, 3] of ordered values, else 0, (n,)."""
        states, scores = self.column.encode(cells)
        tokens = states.astype(np.int64)
        free = states == CONTINUOUS
        tokens[free] = self.column.states + _bin(self.edges, scores[free])
        return tokens, self._places(cells)

    def decode(self, tokens: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Return cells, (n,); ``uniform`` in (0, 1) places a number within its bin."""
        binned = tokens >= self.column.states
        states = np.where(binned, CONTINUOUS, tokens)
        scores = np.zeros(len(tokens))
        if binned.any():
            rank = ndtr(self.edges)
            low = tokens[binned] - self.column.states
            scores[binned] = ndtri(rank[low] + uniform[binned] * (rank[low + 1] - rank[low]))
        return self.column.decode(states, scores)

    def _places(self, cells: np.ndarray) -> np.ndarray:
        known = ~np.isnan(cells)
        places = np.zeros(len(cells))
        if self.column.numeric and self.column.overall is not None:
            places[known] = self.column.overall.score(cells[known])
        elif self.column.field.kind is Kind.ORDINAL:
            top = max(len(self.column.field.levels) - 1, 1)
            places[known] = 3.0 * (cells[known] / top) - 1.5
        return np.clip(places, -3.0, 3.0).astype(np.float32)

    def place_table(self) -> np.ndarray:
        """Return the places along each token, float32 (size, k): all alike but within bins."""
        tokens = np.arange(self.size)
        along = [self._places(self.decode(tokens, np.full(self.size, u))) for u in _WITHIN]
        table = np.stack(along, axis=1)
        table[MASKED] = 0.0
        return table

    def to_json(self) -> dict[str, Any]:
        """Return the vocabulary as JSON-ready content."""
        return {
            "column": self.column.to_json(),
            "edges": self.edges.tolist(),
            "counts": self.counts.tolist(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TokenColumn:
        """Rebuild what `to_json` wrote."""
        return cls(
            Column.from_json(content["column"]),
            np.array(content["edges"]),
            np.array(content["counts"]),
        )


def entropy(counts: np.ndarray) -> float:
    """Return the entropy in nats of a distribution given by counts, (k,).

    >>> round(entropy(np.array([1.0, 1.0])), 3)
    0.693
    """
    share = counts[counts > 0] / max(counts.sum(), 1.0)
    return float(-(share * np.log(share)).sum())


def _edges(scores: np.ndarray, bins: int) -> np.ndarray:
    """Return borders of about equally filled bins, one bin at least; empty without scores."""
    if len(scores) == 0:
        return np.empty(0)
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, max(bins, 1) + 1)))
    return edges if len(edges) > 1 else np.repeat(edges, 2)


def _bin(edges: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, max(len(edges) - 2, 0))
