"""Records that equal a training record: copied, or what different people have in common?

Short records coincide without being copied: two histories of one visit and nothing else are equal.
Held-out records, which nobody can have copied, show how often that happens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from casemix.evaluation.statistics import FloatArray, IntArray, permutation_p_value

_PERMUTATIONS = 999

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Excess:
    """How many records coincide with training records.

    Attributes:
        made: share of the synthetic records.
        held_out: share of the held-out ones.
        p_value: one-sided, of synthetic records coinciding no more often than held-out ones do.
    """

    made: float
    held_out: float
    p_value: float


def excess(
    made: Flags, held_out: Flags, made_subjects: IntArray, held_out_subjects: IntArray, *, seed: int
) -> Excess:
    """Compare how often synthetic and held-out records coincide with training records.

    Whole subjects change arms in the test, never records. Given the training records, the subjects
    of the two arms are independent, so that it is exact where both are drawn alike.

    Args:
        made: (s,) which synthetic records coincide.
        held_out: (m,) which held-out ones do.
        made_subjects: (s,) subject codes 0, 1, ... of the synthetic records.
        held_out_subjects: (m,) the same of the held-out ones.
        seed: seed of the permutations.
    """
    shares = float(made.mean()), float(held_out.mean())
    arms = [
        np.stack([np.bincount(of, flags), np.bincount(of)], axis=1)
        for flags, of in ((made, made_subjects), (held_out, held_out_subjects))
    ]
    if not any(shares):
        return Excess(*shares, p_value=1.0)
    arm = np.repeat([True, False], [len(counts) for counts in arms])
    null = np.tile(arm, (_PERMUTATIONS, 1))
    np.random.default_rng(seed).permuted(null, axis=1, out=null)
    found = _differences(np.vstack([arm, null]), np.concatenate(arms))
    # Equal statistics may differ in the last bits of their sums.
    return Excess(*shares, p_value=permutation_p_value(found[0] - 1e-12, found[1:]))


def _differences(arms: Flags, counts: FloatArray) -> FloatArray:
    """Return the share of coinciding records inside each arm less that outside it, (k,).

    Args:
        arms: (k, subjects) who is inside.
        counts: (subjects, 2) coinciding records and all records of each subject.
    """
    inside = arms.astype(np.float64) @ counts  # (k, 2)
    outside = counts.sum(axis=0) - inside
    difference: FloatArray = inside[:, 0] / inside[:, 1] - outside[:, 0] / outside[:, 1]
    return difference
