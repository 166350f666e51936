"""Batched, grammar-masked drawing of histories with a key-value cache and noise per sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch

from casemix.core import seeding
from casemix.core.batches import fixed_batches
from casemix.core.progress import Step
from casemix.modalities.events.grammar import Grammar, State
from casemix.modalities.events.tokens import BEGIN, END, Tokenised, Tokeniser


class Reader(Protocol):
    """Reads a batch of histories token by token."""

    def read(self, tokens: torch.Tensor, hours: torch.Tensor) -> torch.Tensor:
        """Return the next tokens' logits, (b, v), after one more token each, (b,)."""


@dataclass(frozen=True)
class Decoding:
    """How histories are drawn.

    Args:
        temperature: divides the logits, > 0.
        longest: most tokens of a history.
        batch: histories drawn at a time; part of what makes a sample bit-identical.
        until: hours after which nothing is drawn any more.
    """

    temperature: float
    longest: int
    batch: int
    until: float = float("inf")


def draw(
    network: Any,
    grammar: Grammar,
    features: np.ndarray,
    decoding: Decoding,
    *,
    ids: Sequence[str],
    seed: int,
    bar: Step,
    told: Tokenised | None = None,
) -> pd.DataFrame:
    """Return the events of one history per row: item, hours, code, value.

    Each token takes two uniform numbers that belong to (seed, sample id, position), and batches
    have one fixed size, so a history does not depend on what else is asked for.

    Args:
        network: trained; its ``reader(features)`` is a `Reader` of one batch.
        grammar: which tokens may come next.
        features: encoded context, float32 (n, d).
        decoding: see `Decoding`.
        ids: sample ids, n of them.
        seed: seed of the noise.
        bar: where to report.
        told: beginnings of the histories; only what follows them is returned.
    """
    parts = []
    for rows, used in fixed_batches(len(ids), decoding.batch):
        here = [ids[i] for i in rows]
        noise = seeding.uniform(seed, here, 2 * decoding.longest, stream="events")
        start = _Start.of(grammar, told, rows, decoding.longest // 2)
        frame = _draw(network, grammar, features[rows], decoding, noise, start)
        frame = frame[frame["item"] < used]
        parts.append(frame.assign(item=rows[frame["item"].to_numpy()]))
        bar.advance(used)
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class _Start:
    """Where the drawing of a batch begins.

    Args:
        state: of the grammar after the whole beginnings.
        tokens: what the network reads of each beginning.
        hours: the times of these tokens.
    """

    state: State
    tokens: list[np.ndarray]
    hours: list[np.ndarray]

    @classmethod
    def of(cls, grammar: Grammar, told: Tokenised | None, rows: np.ndarray, most: int) -> _Start:
        """Return the start of these rows; the network reads at most ``most`` tokens of each."""
        if told is None:
            nothing = [np.zeros(0, dtype=np.int64)] * len(rows)
            return cls(grammar.start(len(rows)), nothing, nothing)
        here = [slice(told.offsets[row], told.offsets[row + 1]) for row in rows]
        tokens = [told.tokens[part] for part in here]
        hours = [told.hours[part] for part in here]
        state = grammar.read(tokens)
        opens = [np.flatnonzero(t < grammar.tokeniser.code_at) for t in tokens]
        # Only whole times are read: from the first gap that leaves few enough tokens.
        cuts = [o[len(t) - o <= most][:1] for o, t in zip(opens, tokens, strict=True)]
        begin = [int(c[0]) if len(c) else len(t) for c, t in zip(cuts, tokens, strict=True)]
        return cls(
            state,
            [t[k:] for t, k in zip(tokens, begin, strict=True)],
            [h[k:] for h, k in zip(hours, begin, strict=True)],
        )

    def at(self, position: int, token: np.ndarray, hours: np.ndarray) -> None:
        """Put the beginnings' tokens at a position, and their times, in the place of drawn ones."""
        for row, tokens in enumerate(self.tokens):
            if position < len(tokens):
                token[row], hours[row] = tokens[position], self.hours[row][position]


def _draw(
    network: Any,
    grammar: Grammar,
    features: np.ndarray,
    decoding: Decoding,
    noise: np.ndarray,
    start: _Start,
) -> pd.DataFrame:
    """Return the drawn events of one batch."""
    device = next(network.parameters()).device
    reader: Reader = network.reader(torch.from_numpy(features).to(device))
    b = len(features)
    read = np.array([len(tokens) for tokens in start.tokens])
    state, token, hours = start.state, np.full(b, BEGIN), np.zeros(b)
    done, record = np.zeros(b, dtype=bool), _Record(grammar.tokeniser, b)
    for position in range(decoding.longest):
        logits = _logits(reader, token, hours, device)
        told, first = position < read, (position == read) & (read > 0)
        mask = grammar.allowed(state)
        mask[first] &= grammar.opening
        own = np.maximum(position - read, 0)
        u = noise[np.arange(b)[:, None], 2 * own[:, None] + np.arange(2)]  # (b, 2)
        token = _pick(logits, mask, u[:, 0], decoding)
        after = record.hours_after(token, hours, u[:, 1])
        token = np.where(done, BEGIN, np.where(after > decoding.until, END, token))
        start.at(position, token, after)
        hours = np.where(token == END, hours, after)
        record.add(token, hours, u[:, 1], ~told & ~done)
        state = grammar.step(state, token, but=told)
        done |= ~told & (token == END)
        if done.all():
            break
    return record.frame()


def _logits(reader: Reader, token: np.ndarray, hours: np.ndarray, device: Any) -> np.ndarray:
    """Return the next tokens' logits, float32 (b, v)."""
    tokens = torch.from_numpy(token).to(device)
    times = torch.from_numpy(hours.astype(np.float32)).to(device)
    return reader.read(tokens, times).float().cpu().numpy()


class _Record:
    """Collects drawn tokens and turns them into events."""

    def __init__(self, tokeniser: Tokeniser, b: int) -> None:
        self._tokeniser = tokeniser
        self._columns: list[tuple[np.ndarray, ...]] = []
        self._items = np.arange(b)

    def hours_after(self, token: np.ndarray, hours: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Return the time after a token: a gap's is drawn within its bin, (b,)."""
        t, after = self._tokeniser, hours.copy()
        first = (token >= t.first_at) & (token < t.gap_at)
        gap = (token >= t.gap_at) & (token < t.code_at)
        after[first] = t.first.decode(token[first] - t.first_at, u[first])
        after[gap] += t.gaps.decode(token[gap] - t.gap_at, u[gap])
        return after

    def add(self, token: np.ndarray, hours: np.ndarray, u: np.ndarray, own: np.ndarray) -> None:
        """Add one token of each history of which ``own`` holds."""
        rows = np.flatnonzero(own)
        self._columns.append((self._items[rows], token[rows], hours[rows], u[rows]))

    def frame(self) -> pd.DataFrame:
        """Return the events: item, hours, code, value."""
        t = self._tokeniser
        item, token, hours, u = (np.concatenate(part) for part in zip(*self._columns, strict=True))
        order = np.argsort(item, kind="stable")
        item, token, hours, u = item[order], token[order], hours[order], u[order]
        code = token - t.code_at
        is_code = (code >= 0) & (token < t.value_at)
        value = np.full(len(token), np.nan)
        after = np.r_[token[1:], BEGIN] - t.value_at  # the bin that follows a code
        draw = np.r_[u[1:], 0.5]
        for number, bins in t.values.items():
            rows = is_code & (code == number) & (after >= 0) & (after < len(bins))
            value[rows] = bins.decode(after[rows], draw[rows])
        # A history that is cut at its longest may lack the value of its last code.
        is_code &= ~np.isin(code, list(t.values)) | (after >= 0)
        names = np.array([*t.codes.names, ""], dtype=object)
        found = {"item": item, "hours": hours, "code": names[np.where(is_code, code, -1)]}
        return pd.DataFrame(found | {"value": value})[is_code].reset_index(drop=True)


def _pick(logits: np.ndarray, mask: np.ndarray, u: np.ndarray, decoding: Decoding) -> np.ndarray:
    """Draw one allowed token per row; logits and mask (b, v), uniform numbers (b,)."""
    scaled = np.where(mask, logits.astype(np.float64) / decoding.temperature, -np.inf)
    odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    reached = np.cumsum(odds, axis=1)
    place = (reached <= (u * reached[:, -1])[:, None]).sum(axis=1)
    last = odds.shape[1] - 1 - np.argmax(odds[:, ::-1] > 0, axis=1)
    return np.minimum(place, last)
