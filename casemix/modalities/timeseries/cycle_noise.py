"""What is left of a waveform beside its mean cycle: wandering baseline and noise, by bands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.fft import dct, idct

_SLOW_BANDS, _FAST_BANDS = 4, 5
_MOST_BINS = 40  # of the phase
_LEAST_LOUDNESS = 0.1  # of a phase, relative to the whole cycle
_FLOOR = 1e-5  # amplitude


@dataclass(frozen=True)
class CycleNoise:
    """Gaussian noise whose amplitude is set per series, channel and band of frequencies.

    Slower than a cycle it is the same at all phases; faster noise is louder at some phases than
    at others, since beats differ most where they are steepest.

    Args:
        edges: first cosine of each band and the end of the last, int (b + 1,).
        slow: number of bands slower than a cycle.
        mixing: root of the correlation between channels in each band, (b, m, m).
        loudness: of fast noise at phases of the cycle, root mean square 1, (bins, m).
        length: phases of a cycle.
    """

    edges: np.ndarray
    slow: int
    mixing: np.ndarray
    loudness: np.ndarray
    length: int

    @classmethod
    def fit(cls, left: np.ndarray, phases: np.ndarray, length: int) -> Self:
        """Learn from what mean cycles leave (n, t, m) at phases (n, t)."""
        edges, slow = _bands(left.shape[1], length)
        m = left.shape[2]
        fast = left - cls.slower(left, length)
        uneven = cls(edges, slow, np.zeros((0, m, m)), _loudness(fast, phases, length), length)
        cosines = uneven._cosines(left, phases)
        amplitude = np.exp(uneven.amplitudes(left, phases))
        mixing = []
        for k, band in enumerate(uneven.bands):
            white = (cosines[:, band] / amplitude[:, None, k]).reshape(-1, m)
            mixing.append(np.linalg.cholesky(white.T @ white / len(white) + 1e-6 * np.eye(m)))
        return cls(edges, slow, np.stack(mixing), uneven.loudness, length)

    @property
    def bands(self) -> list[slice]:
        """The cosines of each band."""
        return [slice(int(a), int(b)) for a, b in zip(self.edges[:-1], self.edges[1:], strict=True)]

    def amplitudes(self, left: np.ndarray, phases: np.ndarray) -> np.ndarray:
        """Return log amplitudes of each series, band and channel, (n, b, m)."""
        cosines = self._cosines(left, phases)
        power = [(cosines[:, band] ** 2).mean(axis=1) for band in self.bands]
        return 0.5 * np.log(np.stack(power, axis=1) + _FLOOR**2)

    def draw(self, amplitudes: np.ndarray, phases: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Return the noise of one series, (t, m).

        Args:
            amplitudes: as `amplitudes` gives, (b, m).
            phases: (t,).
            noise: standard normal, (t, m).
        """
        cosines = np.zeros(noise.shape)
        for band, mixing, size in zip(self.bands, self.mixing, np.exp(amplitudes), strict=True):
            mixed = noise[band] @ mixing.T
            # A band of few cosines would else vary twice: in its amplitude and around it.
            cosines[band] = size * mixed / np.sqrt((mixed**2).mean(axis=0) + 1e-12)
        whole = idct(cosines, axis=0, norm="ortho")[None]
        slow = self.slower(whole, self.length)
        return (slow + (whole - slow) * self._loud(phases))[0]

    @staticmethod
    def slower(waves: np.ndarray, length: int) -> np.ndarray:
        """Return series (n, t, m) without what is faster than a cycle of `length` rows."""
        cosines = dct(waves, axis=1, norm="ortho")
        cosines[:, _per_cycle(waves.shape[1], length) :] = 0.0
        return idct(cosines, axis=1, norm="ortho")

    def _cosines(self, left: np.ndarray, phases: np.ndarray) -> np.ndarray:
        """Return cosine coefficients (n, t, m), those of fast noise at even loudness."""
        first = self.edges[self.slow]
        slow = self.slower(left, self.length)
        fast = dct((left - slow) / self._loud(phases), axis=1, norm="ortho")
        return np.concatenate([dct(slow, axis=1, norm="ortho")[:, :first], fast[:, first:]], axis=1)

    def _loud(self, phases: np.ndarray) -> np.ndarray:
        """Return the loudness at phases (..., t), linear between bins, (..., t, m)."""
        bins = len(self.loudness)
        place = phases / self.length * bins - 0.5
        low = np.floor(place).astype(int)
        share = (place - low)[..., None]
        return (1 - share) * self.loudness[low % bins] + share * self.loudness[(low + 1) % bins]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the parameters as named arrays for an artifact."""
        return {
            "noise.edges": self.edges,
            "noise.shape": np.array([self.slow, self.length]),
            "noise.mixing": self.mixing,
            "noise.loudness": self.loudness,
        }

    @classmethod
    def from_arrays(cls, named: Mapping[str, np.ndarray]) -> Self:
        """Rebuild what `arrays` returned."""
        slow, length = (int(v) for v in named["noise.shape"])
        return cls(
            named["noise.edges"], slow, named["noise.mixing"], named["noise.loudness"], length
        )


def _bands(times: int, length: int) -> tuple[np.ndarray, int]:
    """Return the edges of the bands and how many of them are slower than a cycle."""
    cycle = _per_cycle(times, length)
    slow = np.unique(np.r_[1, np.geomspace(2, cycle, _SLOW_BANDS).astype(int)])
    fast = np.unique(np.geomspace(cycle, times, _FAST_BANDS + 1).astype(int))
    return np.concatenate([slow, fast[1:]]), len(slow) - 1


def _per_cycle(times: int, length: int) -> int:
    """Return which cosine has one period per cycle: cosine k has k half periods in a series."""
    return 2 * times // length


def _loudness(fast: np.ndarray, phases: np.ndarray, length: int) -> np.ndarray:
    """Return the relative size of noise (n, t, m) at each phase, (bins, m)."""
    bins = int(np.clip(length // 2, 4, _MOST_BINS))
    place = np.minimum((phases / length * bins).astype(int), bins - 1).reshape(-1)
    power = fast**2 / np.maximum((fast**2).mean(axis=1, keepdims=True), _FLOOR**2)
    flat = np.minimum(power, 100.0).reshape(-1, fast.shape[2])  # no single artefact rules a phase
    total = np.stack([np.bincount(place, flat[:, j], bins) for j in range(flat.shape[1])], axis=1)
    mean = total / np.maximum(np.bincount(place, minlength=bins), 1)[:, None]
    loud = np.sqrt(mean / np.maximum(mean.mean(axis=0), 1e-12))
    return np.maximum(loud, _LEAST_LOUDNESS)
