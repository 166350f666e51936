"""Named arrays of several parts in one file."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def joined(**parts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return all parts' arrays under ``<part>.<name>``.

    >>> sorted(joined(a={"x": np.ones(1)}, b={"x": np.ones(1)}))
    ['a.x', 'b.x']
    """
    return {f"{part}.{name}": a for part, arrays in parts.items() for name, a in arrays.items()}


def part(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """Return the arrays of one part under their own names."""
    start = f"{name}."
    return {key.removeprefix(start): a for key, a in arrays.items() if key.startswith(start)}
