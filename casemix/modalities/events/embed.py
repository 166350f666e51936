"""Histories as vectors: frequent codes (how often, early or late), gaps and values, then SVD."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from casemix.core.artifact import Draft, Saved
from casemix.modalities.events.data import Events

NAME = "log counts of codes by half of the history, gaps and mean values + SVD-32"
_MOST_CODES, _AXES = 400, 32
_GAPS = np.array([1.0, 24.0, 168.0, 720.0, 4380.0])  # hours


@dataclass(frozen=True)
class EventEmbedder:
    """A frozen linear view of histories.

    Args:
        codes: codes that are counted, most frequent first.
        values: mean and standard deviation of each one's values, (codes, 2); NaN without.
        mean: mean training feature, (f,).
        scale: their standard deviation, (f,).
        axes: principal axes, (f, k).
    """

    codes: tuple[str, ...]
    values: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, events: Events) -> Self:
        """Learn codes, scales and axes from training histories."""
        frame = events.frame
        pairs = frame[["item", "code"]].drop_duplicates()["code"].value_counts()
        counts = pairs[pairs >= 2].sort_index().sort_values(ascending=False, kind="stable")
        codes = tuple(counts.index[:_MOST_CODES])
        by_code = frame.groupby("code")["value"].agg(["mean", "std"]).reindex(list(codes))
        values = by_code.to_numpy(dtype=float)
        values[~(values[:, 1] > 0), 1] = np.nan
        raw = _features(events, codes, values)
        mean, scale = raw.mean(axis=0), raw.std(axis=0)
        scale = np.where(scale > 1e-9, scale, 1.0)
        _, _, axes = np.linalg.svd((raw - mean) / scale, full_matrices=False)
        return cls(codes, values, mean, scale, np.ascontiguousarray(axes[:_AXES].T))

    def embed(self, events: Events) -> np.ndarray:
        """Return float32 (n, k)."""
        raw = _features(events, self.codes, self.values)
        vectors = ((raw - self.mean) / self.scale) @ self.axes
        return vectors.astype(np.float32)

    def write(self, draft: Draft) -> None:
        """Write the embedder into an artifact."""
        draft.json("embedder", {"codes": list(self.codes)})
        arrays = {"values": self.values, "mean": self.mean, "scale": self.scale, "axes": self.axes}
        draft.arrays("embedder", arrays)

    @classmethod
    def read(cls, saved: Saved) -> Self:
        """Read what `write` wrote."""
        arrays: Mapping[str, Any] = saved.arrays("embedder")
        codes = tuple(saved.json("embedder")["codes"])
        return cls(codes, *(arrays[name] for name in ("values", "mean", "scale", "axes")))


def _features(events: Events, codes: tuple[str, ...], values: np.ndarray) -> np.ndarray:
    """Return (n, 3 * codes + gaps + 2): early and late counts, mean standard scores, times."""
    frame, n, k = events.frame, events.n, len(codes)
    item, hours = frame["item"].to_numpy(), frame["hours"].to_numpy()
    place = frame["code"].map({code: i for i, code in enumerate(codes)}).to_numpy(dtype=float)
    known = ~np.isnan(place)
    column = np.where(known, place, 0).astype(int)
    span = frame.groupby("item")["hours"].transform("max").to_numpy()
    late = (hours > span / 2).astype(int)
    counts = np.zeros((n, 2, k))
    np.add.at(counts, (item[known], late[known], column[known]), 1.0)
    score = (frame["value"].to_numpy() - values[column, 0]) / values[column, 1] if k else hours
    measured = known & np.isfinite(score)
    total, number = np.zeros((2, n, k))
    np.add.at(total, (item[measured], column[measured]), np.clip(score[measured], -5, 5))
    np.add.at(number, (item[measured], column[measured]), 1.0)
    mean = total / np.maximum(number, 1)
    return np.concatenate([np.log1p(counts).reshape(n, 2 * k), mean, _times(events)], axis=1)


def _times(events: Events) -> np.ndarray:
    """Return log numbers of gaps by length and of times, and the log span, (n, gaps + 3)."""
    times = events.frame[["item", "hours"]].drop_duplicates()
    item, hours = times["item"].to_numpy(), times["hours"].to_numpy()
    same = item[1:] == item[:-1]
    gap = np.diff(hours)[same]
    found = np.zeros((events.n, len(_GAPS) + 3))
    np.add.at(found, (item[1:][same], np.searchsorted(_GAPS, gap)), 1.0)
    np.add.at(found, (item, np.full(len(item), len(_GAPS) + 1)), 1.0)
    np.add.at(found, (item[1:][same], np.full(len(gap), len(_GAPS) + 2)), gap)
    return np.log1p(found)
