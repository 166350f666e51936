"""Where the simulator's randomness comes from, and how the coupling dial works.

Every random choice of the phantom is a function of standard normal numbers that belong to one
subject and one named stream. A *view* is one modality's sight of the patient. At coupling 1 all
views see the same numbers, hence one patient. At coupling 0 each view has numbers of its own:
the modalities then share the recorded context and nothing else. In between, each number is
``sqrt(c) * shared + sqrt(1 - c) * own``, which is again standard normal: the dial changes how
the modalities hang together and leaves each modality's own distribution as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from casemix.core import seeding


@dataclass(frozen=True)
class Draws:
    """Random numbers of one view, one row per subject, independent of the other subjects.

    Args:
        ids: subject ids.
        seed: the simulation's seed.
        coupling: share of the variance that all views have in common, in [0, 1].
        view: which modality looks at the patient, e.g. ``labs``.
    """

    ids: tuple[str, ...]
    seed: int
    coupling: float
    view: str

    def normal(self, stream: str, shape: tuple[int, ...] = ()) -> np.ndarray:
        """Return standard normal numbers, float64 of shape (len(ids), *shape)."""
        shared = math.sqrt(self.coupling)
        own = math.sqrt(1.0 - self.coupling)
        total = np.zeros((len(self.ids), *shape))
        if shared > 0:
            total += shared * seeding.normal(self.seed, self.ids, shape, stream=stream)
        if own > 0:
            name = f"{self.view}/{stream}"
            total += own * seeding.normal(self.seed, self.ids, shape, stream=name)
        return total

    def uniform(self, stream: str, shape: tuple[int, ...] = ()) -> np.ndarray:
        """Return uniform numbers in (0, 1), float64 of shape (len(ids), *shape)."""
        return ndtr(self.normal(stream, shape))

    def happens(self, stream: str, probit: np.ndarray) -> np.ndarray:
        """Return where an event with probability Phi(probit) happens, bool, probit's shape.

        Args:
            stream: the event's name.
            probit: shape (len(ids), ...).
        """
        return self.normal(stream, probit.shape[1:]) < probit

    def choice(self, stream: str, weights: np.ndarray) -> np.ndarray:
        """Return drawn level numbers, int64 (len(ids),).

        Args:
            stream: the choice's name.
            weights: shape (len(ids), levels) or (levels,), rows adding up to 1.
        """
        steps = np.cumsum(np.atleast_2d(weights), axis=1)[:, :-1]  # (n or 1, levels - 1)
        return (self.uniform(stream)[:, None] > steps).sum(axis=1)

    def part(self, rows: slice) -> Draws:
        """Return the draws of some of the subjects; their numbers stay the same."""
        return replace(self, ids=self.ids[rows])


def between(low: np.ndarray, high: np.ndarray, probit: np.ndarray) -> np.ndarray:
    """Return values inside (low, high) that rise with ``probit``; 0 gives the middle.

    A soft bound: group definitions such as "LVEF below 40 %" hold without the spike of values
    at the limit that clipping would leave.
    """
    return low + (high - low) * ndtr(probit)
