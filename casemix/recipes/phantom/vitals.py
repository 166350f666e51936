"""48 hours of vital signs: circadian rhythm, events, informative gaps, recorded resolution.

Reference:
    Ordinary ranges: Royal College of Physicians, National Early Warning Score (NEWS) 2, 2017.
    Effect sizes are choices of this simulator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from casemix.recipes.phantom.anatomy import PatientState
from casemix.recipes.phantom.context import Context
from casemix.recipes.phantom.draws import Draws

CHANNELS = (
    "heart_rate", "systolic_bp", "diastolic_bp", "respiratory_rate", "spo2", "temperature",
)  # fmt: skip
HOURS = 48

#: Lowest and highest reportable value of each channel.
LIMITS = np.array([[28, 60, 25, 6, 60, 34.0], [210, 240, 140, 50, 100, 41.5]])
_DECIMALS = np.array([0, 0, 0, 0, 0, 1])
_LEAST_PULSE = 12.0  # mm[Hg] between systolic and diastolic pressure
# AR(1) noise: correlation from hour to hour, and standard deviation, per channel.
_AR = np.array([0.75, 0.65, 0.65, 0.55, 0.60, 0.85])
_AR_SD = np.array([4.0, 5.5, 3.5, 1.5, 0.8, 0.16])
# Day-night swing per channel: half of peak-to-trough, and the clock hour of the peak.
_SWING = np.array([4.0, 5.0, 3.5, 0.8, 0.25, 0.28])
_PEAK = np.array([15.0, 14.0, 14.0, 15.0, 15.0, 18.0])
_HR_GROUP = np.array([70.0, 80.0, 69.0, 77.0, 78.0])  # beats/min at average severity
_SYSTOLIC_GROUP = np.array([124.0, 110.0, 124.0, 118.0, 115.0])  # mm[Hg]
_SPO2_GROUP = np.array([97.3, 96.0, 96.6, 96.2, 95.0])  # %
# Probit of an hourly observation, per channel; temperature is taken every four hours.
_OBSERVED = np.array([1.3, 0.7, 0.7, 0.5, 1.2, 1.2])
_EVENT_ONSET = (5.0, 38.0)  # hours after admission


@dataclass(frozen=True)
class VitalsRecord:
    """Vital signs as recorded, and the events behind them.

    Args:
        values: float32 (n, 48, 6), hourly rows from admission, channels as `CHANNELS`; NaN
            where nothing was recorded. Systolic is above diastolic in every recorded hour.
        arrhythmia: hour of onset of a fast arrhythmia, (n,), NaN without one.
        hypotension: hour of onset of a treated hypotension, (n,), NaN without one.
        desaturation: hour of onset of a desaturation, (n,), NaN without one.
    """

    values: np.ndarray
    arrhythmia: np.ndarray
    hypotension: np.ndarray
    desaturation: np.ndarray


def record_vitals(context: Context, state: PatientState, draws: Draws) -> VitalsRecord:
    """Return the first 48 hours after admission."""
    onsets = _onsets(context, state, draws)
    clock = np.floor(24.0 * draws.uniform("admission clock"))[:, None] + np.arange(HOURS)
    values = _usual(context, state, draws)[:, None, :] + _ar_noise(draws)  # (n, 48, 6)
    values += _SWING * np.cos(2.0 * np.pi * (clock[..., None] - _PEAK) / 24.0)
    values += _decompensation(state)
    values += _arrhythmia(onsets[0], draws) + _hypotension(onsets[1], draws)
    values += _desaturation(onsets[2], draws)
    values = _reportable(values)
    values[~_observed(state, clock, onsets, draws)] = np.nan
    return VitalsRecord(values.astype(np.float32), *onsets)


def _usual(context: Context, state: PatientState, draws: Draws) -> np.ndarray:
    """Return each subject's own level of each channel, (n, 6)."""
    group, older, sick = context.group, context.decades_over_60, state.severity
    own = draws.normal("usual vitals", (6,))
    systolic = _SYSTOLIC_GROUP[group] + 12.0 * context.hypertension + 2.5 * older
    systolic += -7.5 * sick + 2.0 * state.anatomy + 7.0 * own[:, 1]
    # The stroke carries the pulse pressure: a large heart with a good stroke widens it.
    pulse = 46.0 + 2.5 * older + 5.0 * state.anatomy - 3.0 * sick + 4.0 * own[:, 2]
    return np.stack(
        [
            _HR_GROUP[group]
            + 6.0 * sick
            - 2.5 * state.anatomy
            - 6.0 * state.beta_blocker
            + 8.0 * own[:, 0],
            systolic,
            systolic - np.maximum(pulse, 18.0),
            15.5 + 1.3 * sick + 0.06 * (context.bmi - 27.0) + 1.9 * own[:, 3],
            _SPO2_GROUP[group] - 0.8 * sick - 0.8 * context.smoker + 1.1 * own[:, 4],
            36.75 + 0.08 * sick + 0.16 * own[:, 5],
        ],
        axis=1,
    )


def _ar_noise(draws: Draws) -> np.ndarray:
    """Return stationary AR(1) noise, (n, 48, 6)."""
    noise = draws.normal("vitals noise", (HOURS, 6))
    for hour in range(1, HOURS):
        noise[:, hour] = _AR * noise[:, hour - 1] + np.sqrt(1.0 - _AR**2) * noise[:, hour]
    # A pressure cuff's error moves both pressures alike.
    noise[..., 2] = 0.7 * noise[..., 1] + np.sqrt(1.0 - 0.7**2) * noise[..., 2]
    return _AR_SD * noise


def _decompensation(state: PatientState) -> np.ndarray:
    """Return how the sicker arrive worse than usual and settle over a day, (n, 48, 6)."""
    excess = np.logaddexp(0.0, 1.5 * state.severity) / 1.5  # soft positive part
    settling = np.exp(-np.arange(HOURS) / 16.0)
    size = np.array([6.0, 3.0, 2.0, 1.8, -1.0, 0.08])
    return excess[:, None, None] * settling[:, None] * size


def _onsets(
    context: Context, state: PatientState, draws: Draws
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    sick, older = state.severity, context.decades_over_60
    chances = {
        "arrhythmia": -1.15 + 0.5 * sick + 0.15 * older,
        "hypotension": -1.2 + 0.6 * sick,
        "desaturation": -1.3 + 0.6 * sick + 0.3 * context.smoker,
    }
    low, high = _EVENT_ONSET
    arrhythmia, hypotension, desaturation = (
        np.where(
            draws.happens(name, chance),
            np.floor(low + (high - low) * draws.uniform(f"{name} onset")),
            np.nan,
        )
        for name, chance in chances.items()
    )
    return arrhythmia, hypotension, desaturation


def _since(onset: np.ndarray) -> np.ndarray:
    """Return hours since an onset, (n, 48); minus one before it and where there is none."""
    hours = np.arange(HOURS) - np.where(np.isnan(onset), np.inf, onset)[:, None]
    return np.where(hours >= 0, hours, -1.0)


def _shape(channels: dict[str, np.ndarray], like: np.ndarray) -> np.ndarray:
    out = np.zeros((*like.shape, 6))
    for name, course in channels.items():
        out[..., CHANNELS.index(name)] = course
    return out


def _arrhythmia(onset: np.ndarray, draws: Draws) -> np.ndarray:
    """A fast rhythm that starts and ends abruptly, and costs some pressure."""
    since = _since(onset)
    lasts = 2.0 + np.floor(6.0 * draws.uniform("arrhythmia duration"))[:, None]  # h
    rate = 38.0 + 9.0 * draws.normal("arrhythmia rate")[:, None]
    active = (since >= 0) & (since < lasts)
    irregular = 6.0 * draws.normal("arrhythmia irregularity", (HOURS,))
    return _shape(
        {
            "heart_rate": active * np.maximum(rate + irregular, 15.0),
            "systolic_bp": -9.0 * active,
            "diastolic_bp": -3.0 * active,
        },
        since,
    )


def _hypotension(onset: np.ndarray, draws: Draws) -> np.ndarray:
    """A fall in pressure over two hours, treated, then recovering over some hours."""
    since = _since(onset)
    depth = 30.0 + 6.0 * draws.normal("hypotension depth")[:, None]  # mm[Hg]
    course = np.where(since < 2, (since + 1) / 2.0, np.exp(-(since - 2) / 3.5)) * (since >= 0)
    return _shape(
        {
            "systolic_bp": -depth * course,
            "diastolic_bp": -0.55 * depth * course,
            "heart_rate": 11.0 * course,
        },
        since,
    )


def _desaturation(onset: np.ndarray, draws: Draws) -> np.ndarray:
    """A fall of oxygen saturation with faster breathing; oxygen is given."""
    since = _since(onset)
    depth = 8.0 + 2.0 * draws.normal("desaturation depth")[:, None]  # %
    course = (since >= 0) * np.exp(-np.maximum(since, 0.0) / 2.5)
    return _shape({"spo2": -depth * course, "respiratory_rate": 6.0 * course}, since)


def _reportable(values: np.ndarray) -> np.ndarray:
    low, high = LIMITS
    values = np.clip(values, low, high)
    values[..., 2] = np.minimum(values[..., 2], values[..., 1] - _LEAST_PULSE)
    scale = 10.0**_DECIMALS
    return np.round(values * scale) / scale


def _observed(
    state: PatientState, clock: np.ndarray, onsets: tuple[np.ndarray, ...], draws: Draws
) -> np.ndarray:
    """Return what was recorded, bool (n, 48, 6): the sicker and the unstable more, nights less."""
    night = ((clock % 24) >= 23) | ((clock % 24) < 6)
    unstable = np.zeros(clock.shape, dtype=bool)
    for onset in onsets:
        since = _since(onset)
        unstable |= (since >= 0) & (since < 5)
    ward = 0.25 * state.severity + 0.30 * draws.normal("ward's diligence")
    watch = ward[:, None] - 0.6 * night + 0.9 * unstable  # (n, 48)
    cells = draws.normal("observed", (HOURS, 6))
    cells[..., 2] = cells[..., 1]  # one cuff reading gives both pressures
    seen = cells < _OBSERVED + watch[..., None]
    seen[..., 5] &= (np.arange(HOURS) % 4 == 0) | unstable
    away = _since(np.floor(6.0 + 40.0 * draws.uniform("away from the ward")))
    seen &= ~((away >= 0) & (away < 1 + 2 * draws.uniform("time away")[:, None]))[..., None]
    seen[:, 0] = True  # a full set at admission
    return seen
