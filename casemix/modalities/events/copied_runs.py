"""Runs of codes: how long a stretch of a history stands in a training history just so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from casemix.modalities.events.data import Events

#: Lengths that are looked for; a longer shared run counts as the longest of them.
LENGTHS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128)
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that a run's hash keeps all of its codes


@dataclass(frozen=True)
class CodeRows:
    """Histories as one array of hashed codes, in time and, at one time, in alphabetical order.

    Args:
        hashes: hash of each event's code, mixed with whether it opens a new time, (t,).
        item: the history of each, (t,).
        left: events from this one to the end of its history, (t,).
        n: number of histories.
    """

    hashes: npt.NDArray[np.uint64]
    item: np.ndarray
    left: np.ndarray
    n: int

    @classmethod
    def of(cls, *arms: Events) -> list[CodeRows]:
        """Read histories; arms read together share their hashes."""
        known = pd.unique(pd.concat([arm.frame["code"] for arm in arms]))
        drawn = np.random.default_rng(0).integers(2**63, size=len(known), dtype=np.uint64)
        return [cls._rows(arm, dict(zip(known, drawn, strict=True))) for arm in arms]

    @classmethod
    def _rows(cls, events: Events, table: dict[str, np.uint64]) -> CodeRows:
        frame = events.frame.sort_values(["item", "hours", "code"], kind="stable")
        item, hours = frame["item"].to_numpy(), frame["hours"].to_numpy()
        opens = np.r_[True, (item[1:] != item[:-1]) | (hours[1:] != hours[:-1])][: len(item)]
        hashes = frame["code"].map(table).to_numpy(dtype=np.uint64) + opens.astype(np.uint64)
        sizes = np.bincount(item, minlength=events.n)
        left = np.repeat(np.cumsum(sizes), sizes) - np.arange(len(item))
        return cls(hashes, item, left, events.n)

    def runs(self, size: int) -> tuple[npt.NDArray[np.uint64], np.ndarray]:
        """Return the hash and the history of every run of ``size`` events."""
        start = np.flatnonzero(self.left >= size)
        found = np.zeros(len(start), dtype=np.uint64)
        for k in range(size):
            found = found * _FACTOR + self.hashes[start + k]
        return found, self.item[start]


def longest_shared(rows: CodeRows, others: CodeRows) -> np.ndarray:
    """Return the longest of `LENGTHS` of which each history shares a run with the others, (n,)."""
    longest = np.zeros(rows.n)
    for size in LENGTHS:
        found, item = rows.runs(size)
        shared = np.unique(item[np.isin(found, others.runs(size)[0])])
        if not len(shared):
            break
        longest[shared] = size
    return longest


def novel_share(rows: CodeRows, others: CodeRows, size: int) -> np.ndarray:
    """Return the share of each history's runs that the others do not have, (n,); NaN without."""
    found, item = rows.runs(size)
    new = ~np.isin(found, others.runs(size)[0])
    counts = np.bincount(item, minlength=rows.n)
    with np.errstate(invalid="ignore"):
        return np.bincount(item, weights=new, minlength=rows.n) / np.where(counts, counts, np.nan)
