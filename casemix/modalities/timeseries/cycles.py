"""The clock of repeating waveforms: from rows to phases of the cycle, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

_BEFORE, _AFTER = 0.25, 0.3  # of a usual cycle, around the landmark, keep their duration


@dataclass(frozen=True)
class CycleClock:
    """Maps the time between two landmarks to phases 0 to ``length``.

    Near a landmark a row is a phase: the QRS complex of a fast heart is not shorter. What lies
    between is stretched evenly, as diastole is.

    Args:
        length: phases of a cycle, the rows of a usual one.
    """

    length: int

    @property
    def before(self) -> float:
        """Phases before a landmark that are not stretched."""
        return _BEFORE * self.length

    @property
    def after(self) -> float:
        """Phases after a landmark that are not stretched."""
        return _AFTER * self.length

    def phases(self, landmarks: np.ndarray, times: int) -> tuple[np.ndarray, np.ndarray]:
        """Return phase and cycle number of rows 0 to times - 1, (t,) each.

        Args:
            landmarks: ascending, the first at or before row 0, the last beyond the last row.
            times: t.
        """
        rows = np.arange(times)
        cycle = np.clip(np.searchsorted(landmarks, rows, side="right") - 1, 0, len(landmarks) - 2)
        since, lasting = rows - landmarks[cycle], np.diff(landmarks)[cycle]
        knots = np.stack(self._knots(lasting))  # (4, t)
        piece = (since >= knots[1]).astype(int) + (since >= knots[2])
        low = np.take_along_axis(knots, piece[None], axis=0)[0]
        high = np.take_along_axis(knots, piece[None] + 1, axis=0)[0]
        marks = self._marks
        share = (since - low) / (high - low)
        return marks[piece] + share * (marks[piece + 1] - marks[piece]), cycle

    def cut(self, wave: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Return the whole cycles of one series (t, c) at each phase, (k, length, c)."""
        curve = CubicSpline(np.arange(len(wave)), wave, axis=0)
        phases, marks = np.arange(self.length), self._marks
        rows = [
            start + np.interp(phases, marks, np.array(self._knots(lasting)))
            for start, lasting in zip(landmarks[:-1], np.diff(landmarks), strict=True)
        ]
        return curve(np.clip(np.stack(rows), 0, len(wave) - 1))

    def laid(self, cycle: np.ndarray, phases: np.ndarray) -> np.ndarray:
        """Return one cycle (length, c), repeated, at phases (t,), as (t, c)."""
        closed = np.concatenate([cycle, cycle[:1]])
        curve = CubicSpline(np.arange(self.length + 1), closed, axis=0, bc_type="periodic")
        return curve(phases % self.length)

    @property
    def _marks(self) -> np.ndarray:
        return np.array([0.0, self.after, self.length - self.before, self.length])

    def _knots(self, lasting: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the rows since the landmark at which the marks lie, for cycles of these rows."""
        share = np.minimum(1.0, 0.9 * lasting / (self.before + self.after))
        return 0.0 * lasting, share * self.after, lasting - share * self.before, lasting


def covering(landmarks: np.ndarray, times: int) -> np.ndarray:
    """Return landmarks between the first and last of which all rows lie.

    Those that are added at both ends are a usual cycle apart.
    """
    usual = float(np.median(np.diff(landmarks)))
    ahead = int(np.ceil(max(landmarks[0], 0.0) / usual))
    behind = int(np.ceil(max(times - landmarks[-1], 0.0) / usual))
    return np.concatenate(
        [
            landmarks[0] - usual * np.arange(ahead, 0, -1),
            landmarks,
            landmarks[-1] + usual * np.arange(1, behind + 1),
        ]
    )
