"""Principal axes of a table that is long or wide."""

from __future__ import annotations

import numpy as np

_LEAST = 1e-6  # share of the largest variance below which a direction counts as empty


def principal_axes(centred: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return orthonormal axes (k, d) and the variances along them (k,), largest first.

    Args:
        centred: (n, d), column means 0.
        most: largest k; directions without variance are left out, but one is always kept.
    """
    n, d = centred.shape
    table = centred.astype(np.float64)
    wide = d > n
    energy, vectors = np.linalg.eigh(table @ table.T if wide else table.T @ table)
    energy, vectors = energy[::-1].clip(0), vectors[:, ::-1]
    kept = max(min(most, int((energy > _LEAST * max(energy[0], 1e-12)).sum())), 1)
    energy, vectors = energy[:kept], vectors[:, :kept]
    axes = (vectors / np.sqrt(np.maximum(energy, 1e-12))).T @ table if wide else vectors.T
    return axes, energy / n
