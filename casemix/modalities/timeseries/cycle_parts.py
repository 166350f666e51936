"""Repeating waveforms taken apart: rhythm, mean cycle, its strength, noise, baseline; and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from casemix.core import seeding
from casemix.modalities.timeseries.cycle_noise import CycleNoise
from casemix.modalities.timeseries.cycles import CycleClock, covering
from casemix.modalities.timeseries.landmarks import SHORTEST

_MOST_AXES = 40  # of mean cycles
_LEAST_SPREAD = 0.005  # of log durations and of strengths
_LEAST_SIZE = 1e-3  # of a mean cycle in one channel, in standard deviations of the channel
_FARTHEST = 3.0  # standard deviations of a duration or a strength from the series' own mean
_RHYTHM = 3  # numbers: mean and spread of log durations, spread of strengths


@dataclass(frozen=True)
class Decomposition:
    """What series are made of.

    Args:
        rhythm: mean and log spread of log durations, log spread of strengths, (n, 3).
        cycles: mean cycle, (n, length, m).
        left: what the mean cycles leave, (n, t, m).
        phases: of each row, (n, t).
        memory: correlation of a duration with the one before.
        explained: share of the variance that is not left, median over series.
    """

    rhythm: np.ndarray
    cycles: np.ndarray
    left: np.ndarray
    phases: np.ndarray
    memory: float
    explained: float

    @classmethod
    def of(cls, waves: np.ndarray, landmarks: list[np.ndarray], clock: CycleClock) -> Self:
        """Take series (n, t, m) apart at their landmarks; each channel is centred."""
        times = waves.shape[1]
        rhythm, cycles, left, phases, memories = [], [], [], [], []
        for wave, places in zip(waves, landmarks, strict=True):
            beats = clock.cut(wave, places)
            mean = np.median(beats - beats.mean(axis=1, keepdims=True), axis=0)  # (length, m)
            phase, cycle = clock.phases(covering(places, times), times)
            laid = clock.laid(mean, phase)
            logs = np.log(np.diff(places))
            strength = _strengths(wave, laid, cycle)
            rhythm.append([logs.mean(), _log_spread(logs), _log_spread(strength)])
            memories.append(_memory(logs))
            cycles.append(mean)
            left.append(wave - laid)
            phases.append(phase)
        share = 1.0 - np.mean(np.square(left), axis=(1, 2)) / np.mean(waves**2, axis=(1, 2))
        return cls(
            np.array(rhythm),
            np.stack(cycles),
            np.stack(left),
            np.stack(phases),
            float(np.median(memories)),
            float(np.median(share)),
        )


@dataclass(frozen=True)
class CycleParts:
    """Turns a series of m independent channels into k numbers, and draws series of such numbers.

    Args:
        clock: of the cycle.
        noise: what mean cycles leave.
        memory: correlation of a duration with the one before.
        centre: mean shape of a cycle, (length * m,).
        axes: orthonormal axes of shapes, (length * m, d).
    """

    clock: CycleClock
    noise: CycleNoise
    memory: float
    centre: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, found: Decomposition, clock: CycleClock) -> Self:
        """Learn axes and noise from decomposed series."""
        shapes = (found.cycles / _sizes(found.cycles)[:, None]).reshape(len(found.cycles), -1)
        centre = shapes.mean(axis=0)
        _, _, axes = np.linalg.svd(shapes - centre, full_matrices=False)
        noise = CycleNoise.fit(found.left, found.phases, clock.length)
        return cls(clock, noise, found.memory, centre, axes[:_MOST_AXES].T)

    def numbers(self, found: Decomposition, means: np.ndarray) -> np.ndarray:
        """Return what describes each series, (n, k).

        Rhythm, size of the cycle in each channel, its shape, noise by band and channel, size and
        direction of the channels' means.

        Args:
            found: the decomposed series.
            means: over time, (n, m).
        """
        n, sizes = len(means), _sizes(found.cycles)
        shapes = (found.cycles / sizes[:, None]).reshape(n, -1)
        amplitudes = self.noise.amplitudes(found.left, found.phases).reshape(n, -1)
        far = np.linalg.norm(means, axis=1, keepdims=True) + 1e-6
        scores = (shapes - self.centre) @ self.axes
        parts = [found.rhythm, np.log(sizes), scores, amplitudes, np.log(far), means / far]
        return np.concatenate(parts, axis=1)

    def draw(self, numbers: np.ndarray, sample_id: str, times: int, *, seed: int) -> np.ndarray:
        """Return one series (times, m) that `numbers` (k,) describe."""
        m, d = self.noise.loudness.shape[1], self.axes.shape[1]
        ends = np.cumsum([_RHYTHM, m, d, len(self.noise.bands) * m, 1])
        rhythm, sizes, scores, amplitudes, far, direction = np.split(numbers, ends)
        landmarks, strength = self._rhythm(rhythm, sample_id, times, seed)
        phases, cycle = self.clock.phases(landmarks, times)
        shape = (self.centre + self.axes @ scores).reshape(self.clock.length, m)
        mean = shape / _sizes(shape[None])[0] * np.exp(sizes)
        noise = seeding.normal(seed, [sample_id], (times, m), stream="noise")[0]
        wave = self.clock.laid(mean, phases) * strength[cycle, None]
        wave = wave + self.noise.draw(amplitudes.reshape(-1, m), phases, noise)
        offset = direction / max(float(np.linalg.norm(direction)), 1e-12) * np.exp(far)
        return wave - wave.mean(axis=0) + offset

    def _rhythm(
        self, rhythm: np.ndarray, sample_id: str, times: int, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return landmarks that cover all rows, and the strength of each cycle."""
        most = times // SHORTEST + 2
        noise = seeding.normal(seed, [sample_id], (2, most), stream="rhythm")[0]
        start = seeding.uniform(seed, [sample_id], 1, stream="start")[0, 0]
        logs, strength = noise
        for k in range(1, most):
            logs[k] = self.memory * logs[k - 1] + np.sqrt(1 - self.memory**2) * logs[k]
        spread, strong = np.maximum(np.exp(rhythm[1:]) - _LEAST_SPREAD, 0.0)
        lasting = np.exp(rhythm[0] + spread * np.clip(logs, -_FARTHEST, _FARTHEST))
        lasting = np.maximum(lasting, SHORTEST)
        landmarks = np.concatenate([[0.0], np.cumsum(lasting)]) - start * lasting[0]
        return landmarks, 1.0 + strong * np.clip(strength, -_FARTHEST, _FARTHEST)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the parameters as named arrays for an artifact."""
        own = {
            "cycle.length": np.array(self.clock.length),
            "cycle.memory": np.array(self.memory),
            "cycle.centre": self.centre,
            "cycle.axes": self.axes,
        }
        return own | self.noise.arrays()

    @classmethod
    def from_arrays(cls, named: Mapping[str, np.ndarray]) -> Self:
        """Rebuild what `arrays` returned."""
        return cls(
            CycleClock(int(named["cycle.length"])),
            CycleNoise.from_arrays(named),
            float(named["cycle.memory"]),
            named["cycle.centre"],
            named["cycle.axes"],
        )


def _sizes(cycles: np.ndarray) -> np.ndarray:
    """Return the root mean square of each channel's cycle, (n, m)."""
    return np.sqrt((cycles**2).mean(axis=1)) + _LEAST_SIZE


def _strengths(wave: np.ndarray, laid: np.ndarray, cycle: np.ndarray) -> np.ndarray:
    """Return by how much each whole cycle is the mean one, about 1, (k,)."""
    inner = slice(1, -1) if cycle[-1] > 2 else slice(None)
    alike = np.bincount(cycle, (wave * laid).sum(axis=1))[inner]
    size = np.bincount(cycle, (laid**2).sum(axis=1))[inner]
    return np.clip(alike / np.maximum(size, 1e-9), 0.5, 1.5)


def _log_spread(numbers: np.ndarray) -> float:
    return float(np.log(numbers.std() + _LEAST_SPREAD))


def _memory(logs: np.ndarray) -> float:
    """Return the correlation of neighbours, the short series' bias towards 0 left in."""
    centred = logs - logs.mean()
    power = float((centred**2).mean())
    return float((centred[1:] * centred[:-1]).mean()) / power if power > 1e-9 else 0.0
