"""Histories of similar length in batches of about equally many tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from casemix.core import seeding
from casemix.modalities.events.tokens import Tokenised

IGNORED = -100  # target after the end of a history


@dataclass(frozen=True)
class Batches:
    """Histories of similar length in batches of about equally many tokens.

    Args:
        rows: the histories of each batch.
        tokens: all histories' tokens, padded to each batch's longest, one array per batch.
        hours: the same of their times.
        features: encoded context of all histories, float32 (n, d).
    """

    rows: Sequence[np.ndarray]
    tokens: Sequence[torch.Tensor]
    hours: Sequence[torch.Tensor]
    features: torch.Tensor

    @classmethod
    def of(
        cls,
        told: Tokenised,
        features: np.ndarray,
        rows: np.ndarray,
        *,
        longest: int,
        budget: int,
        seed: int,
    ) -> Batches:
        """Return batches of these rows.

        Args:
            told: all histories.
            features: their encoded context, (n, d).
            rows: which of them, int64 (m,).
            longest: tokens of a history that are read; the rest is cut off.
            budget: tokens of a batch, padding included.
            seed: which histories of equal length share a batch.
        """
        lengths = np.minimum(np.diff(told.offsets), longest)
        mixed = rows[seeding.generator(seed, "batches").permutation(len(rows))]
        order = mixed[np.argsort(lengths[mixed], kind="stable")]
        groups = _groups(lengths[order], budget)
        chosen = [order[start:stop] for start, stop in groups]
        padded = [_padded(told, group, lengths) for group in chosen]
        tokens = [torch.from_numpy(t) for t, _ in padded]
        hours = [torch.from_numpy(h) for _, h in padded]
        return cls(chosen, tokens, hours, torch.from_numpy(features))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def count(self) -> int:
        """The number of tokens."""
        return sum(int((t != IGNORED).sum()) for t in self.tokens)

    def counts(self, tokens: int) -> np.ndarray:
        """Return how often each of so many tokens occurs, int64 (tokens,)."""
        found = [np.bincount(t[t != IGNORED], minlength=tokens) for t in self.tokens]
        return np.sum(found, axis=0)

    def nll(self, model: nn.Module, batch: int, noise: torch.Generator, dropout: float) -> Any:
        """Return the summed negative log-likelihood of one batch, a scalar."""
        seen = self.features[self.rows[batch]]
        kept = torch.rand(seen.shape, generator=noise) >= dropout
        parts = (self.tokens[batch], self.hours[batch], seen * kept)
        device = next(model.parameters()).device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(int(torch.randint(2**62, (), generator=noise)))  # for dropout
            return model(*(part.to(device) for part in parts)).sum()


def held_out_loss(model: nn.Module, batches: Batches) -> float:
    """Return the mean negative log-likelihood per token, in nats, without dropout."""
    noise, training = torch.Generator(), model.training
    model.eval()
    with torch.no_grad():
        total = sum(float(batches.nll(model, i, noise, 0.0)) for i in range(len(batches)))
    model.train(training)
    return total / max(batches.count, 1)


def _groups(lengths: np.ndarray, budget: int) -> list[tuple[int, int]]:
    """Return slices of sorted lengths such that each padded slice fits the budget."""
    found, start = [], 0
    for stop in range(1, len(lengths) + 1):
        full = stop == len(lengths) or (stop + 1 - start) * lengths[stop] > budget
        if full:
            found.append((start, stop))
            start = stop
    return found


def _padded(
    told: Tokenised, rows: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    size = max(int(lengths[rows].max()), 1)
    tokens = np.full((len(rows), size), IGNORED, dtype=np.int64)
    hours = np.zeros((len(rows), size), dtype=np.float32)
    for i, row in enumerate(rows):
        here = slice(told.offsets[row], told.offsets[row] + lengths[row])
        tokens[i, : lengths[row]] = told.tokens[here]
        hours[i, : lengths[row]] = told.hours[here]
    return tokens, hours
