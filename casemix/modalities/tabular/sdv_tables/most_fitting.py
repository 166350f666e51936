"""Of a pool of rows, the one that fits known cells best: conditions without rejection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from casemix.core.fields import Field, Kind

_TIE = 1e-4  # cost of a full step in chance: it decides between rows that fit equally well
_CHUNK = 256  # rows compared with the whole pool at a time


def most_fitting(
    asked: np.ndarray, pool: np.ndarray, fields: Sequence[Field], chance: np.ndarray
) -> np.ndarray:
    """Return the position of the most fitting row of the pool for each asked row, (n,).

    Rows differ by the sum over the known cells of: the distance of two numbers in ranks of the
    pool, or of two ordinal levels in shares of the scale; 1 for other levels that differ and for
    missing cells. Of rows that fit equally well, chance takes one.

    Args:
        asked: cells that are asked for, (n, d); NaN = anything.
        pool: cells of the rows to choose from, (p, d); NaN = missing.
        fields: the d fields.
        chance: uniform numbers in (0, 1), (n,).
    """
    ladder = (np.arange(len(pool)) + 0.5) / len(pool)
    chosen = np.empty(len(asked), dtype=np.int64)
    scaled = [_scaled(field, pool[:, j], asked[:, j]) for j, field in enumerate(fields)]
    for start in range(0, len(asked), _CHUNK):
        part = slice(start, start + _CHUNK)
        cost = (_TIE * np.abs(chance[part, None] - ladder)).astype(np.float32)  # (chunk, p)
        for field, (have, want) in zip(fields, scaled, strict=True):
            rows = ~np.isnan(want[part])
            if rows.all():  # in place: no copy of the whole chunk
                cost += _difference(field, want[part, None], have)
            elif rows.any():
                cost[rows] += _difference(field, want[part][rows, None], have)
        chosen[part] = cost.argmin(axis=1)
    return chosen


def _scaled(field: Field, pool: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both columns on a scale whose distances are at most 1, float32; NaN stays NaN."""
    if field.kind is Kind.NUMERIC:
        known = np.sort(pool[~np.isnan(pool)])
        return _ranks(known, pool), _ranks(known, asked)
    top = max(len(field.levels) - 1, 1) if field.kind is Kind.ORDINAL else 1
    return (pool / top).astype(np.float32), (asked / top).astype(np.float32)


def _ranks(known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return midranks among sorted values as shares, float32; NaN where missing."""
    both = np.searchsorted(known, values) + np.searchsorted(known, values, side="right")
    ranks = both / max(2 * len(known), 1)
    return np.where(np.isnan(values), np.nan, ranks).astype(np.float32)


def _difference(field: Field, want: np.ndarray, have: np.ndarray) -> np.ndarray:
    """Return what differs, in [0, 1], (rows, p)."""
    if field.kind in (Kind.NUMERIC, Kind.ORDINAL):
        distance = np.abs(want - have)
        return np.fmin(distance, 1.0, out=distance)  # NaN, a missing cell, becomes 1
    return want != have
