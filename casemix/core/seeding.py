"""Seeds as arguments: child seeds by name and counter-based noise by sample id.

Noise depends only on ``(seed, stream, sample_id, position)``. A generator that takes all its
randomness from here gives the same sample whatever the batch size, order or number of shards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # SplitMix64 increment


def child(seed: int, *keys: object) -> int:
    """Return a 63-bit seed for one named part of the work.

    >>> child(0, "imaging", "fit") == child(0, "imaging", "fit") != child(0, "imaging", "sample")
    True
    """
    digest = hashlib.blake2b(repr((int(seed), *map(str, keys))).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(seed: int, *keys: object) -> np.random.Generator:
    """Return a NumPy generator of its own for one named part of the work."""
    return np.random.Generator(np.random.Philox(key=child(seed, *keys)))


def uniform(seed: int, ids: Sequence[str], count: int, *, stream: str = "") -> np.ndarray:
    """Return uniform numbers in (0, 1), float64 of shape (len(ids), count).

    Row ``i`` is the SplitMix64 sequence (Steele, Lea and Flood, 2014) whose start is a
    BLAKE2b hash of the seed, the stream and ``ids[i]``: it does not depend on the other ids.
    """
    start = np.fromiter(
        (_start(seed, stream, identifier) for identifier in ids), dtype=np.uint64, count=len(ids)
    )
    steps = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
    z = start[:, None] + steps[None, :]  # (n, count), wraps modulo 2**64
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    # 53 random bits, moved by half a step so that neither 0 nor 1 comes out.
    return ((z >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normal(
    seed: int, ids: Sequence[str], shape: tuple[int, ...] = (), *, stream: str = ""
) -> np.ndarray:
    """Return standard normal numbers, float64 of shape (len(ids), *shape) (Box-Muller)."""
    count = int(np.prod(shape, dtype=int))
    half = (count + 1) // 2
    u = uniform(seed, ids, 2 * half, stream=stream)
    radius = np.sqrt(-2.0 * np.log(u[:, :half]))
    angle = 2.0 * np.pi * u[:, half:]
    flat = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return flat[:, :count].reshape(len(ids), *shape)


def _start(seed: int, stream: str, identifier: str) -> int:
    key = f"{int(seed)}\x1f{stream}\x1f{identifier}".encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little")
