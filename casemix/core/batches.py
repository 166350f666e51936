"""Batches of one fixed size, so that a network sees the same shapes whatever the request."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def fixed_batches(n: int, size: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yield (positions, used): ``size`` positions each, the last batch padded with its first.

    Matrix products round differently for different shapes. With padded batches each row's
    arithmetic is the same however many samples are asked for, which is what makes
    `Generator.shard_invariant` true for networks. Use the first ``used`` rows of a batch only.
    """
    for start in range(0, n, size):
        used = min(size, n - start)
        positions = np.full(size, start)
        positions[:used] = np.arange(start, start + used)
        yield positions, used
