"""Simulated event streams: diseases begin, show, are found, treated, followed up and escalated."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from casemix.core import registry, seeding
from casemix.core.cohort import Cohort, Provenance
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples
from casemix.recipes.phantom.event_knowledge import (
    ADMITTED,
    CLINIC,
    DEATH,
    DISCHARGED,
    DISEASES,
    EMERGENCY,
    MEASUREMENTS,
    Disease,
)

_VISITS = 14  # at most
_HORIZON = 5 * 8766.0  # hours of follow-up
_K, _L = len(DISEASES), len(MEASUREMENTS)
_CODES = [d.code for d in DISEASES]
_TESTS = [m.code for m in MEASUREMENTS]
_DEPRIVATION = ("least", "middle", "most")

CONTEXT = Schema(
    (
        Field("age", Kind.NUMERIC, "a", range=(18, 95), description="Age at the first event"),
        Field("sex", Kind.BINARY, levels=("F", "M"), description="Sex"),
        Field("smoker", Kind.BINARY, description="Smokes at the first event"),
        Field("deprivation", Kind.ORDINAL, levels=_DEPRIVATION, description="Area deprivation"),
    )
)


def phantom_events(n: int, *, seed: int) -> Cohort:
    """Return a simulated cohort of n subjects with one event stream each.

    Index time is the first visit. Codes: ``VISIT//``, ``HOSPITAL_ADMISSION//``,
    ``HOSPITAL_DISCHARGE//``, ``SYMPTOM//``, ``DIAGNOSIS//ICD10//``, ``LAB//`` (with values),
    ``DRUG//``, ``PROCEDURE//`` and ``MEDS_DEATH``.

    Args:
        n: number of subjects.
        seed: which subjects; subject i is the same whatever n is.
    """
    ids = pd.Index([f"phantom-{i:06d}" for i in range(n)], name="subject_id", dtype=object)
    subjects = _subjects(list(ids), seed)
    frame = _simulate(subjects, seed)
    events = registry.payload_type("events")(frame, n, _units())
    keys = pd.DataFrame({"subject_id": ids, "time": 0.0}, index=[f"{i}.events" for i in ids])
    about = {
        "name": "casemix event-stream phantom",
        "source": "mechanistic simulator of casemix; no real patient",
        "licence": "Apache-2.0",
        "seed": str(seed),
    }
    samples = {"events": Samples("events", keys, events)}
    return Cohort(subjects, CONTEXT, samples, Provenance.PHANTOM, about=about)


def _lab(code: str, unit: str) -> str:
    return f"LAB//{code}//{unit}"


def _units() -> dict[str, str]:
    return {_lab(m.code, m.unit): m.unit for m in MEASUREMENTS}


def _subjects(ids: list[str], seed: int) -> pd.DataFrame:
    u = seeding.uniform(seed, ids, 4, stream="event subjects")
    age = np.clip(np.round(24 + 66 * np.sqrt(u[:, 0])), 18, 95)
    deprived = (u[:, 3] > 0.4).astype(int) + (u[:, 3] > 0.75)
    smoker = u[:, 2] < 0.16 + 0.08 * deprived
    columns = {
        "age": age,
        "sex": np.where(u[:, 1] < 0.54, "F", "M"),
        "smoker": np.where(smoker, "yes", "no"),
        "deprivation": np.array(_DEPRIVATION, dtype=object)[deprived],
    }
    return pd.DataFrame(columns, index=pd.Index(ids, name="subject_id"))


@dataclass
class _Stream:
    """Collected events: who, when, which code, which value."""

    parts: list[pd.DataFrame] = field(default_factory=list)

    def add(
        self, who: np.ndarray, hours: np.ndarray, code: np.ndarray | str, value: object = np.nan
    ) -> None:
        """Add one event per entry of ``who``."""
        self.parts.append(
            pd.DataFrame({"item": who, "hours": hours[who], "code": code, "value": value})
        )

    def mark(self, happens: np.ndarray, hours: np.ndarray, names: np.ndarray) -> None:
        """Add the events of a truth table, bool (n, k), whose columns have these codes."""
        who, which = np.nonzero(happens & (names != "")[None, :])
        self.add(who, hours, names[which])


@dataclass
class _State:
    """Where the subjects are; arrays of n rows.

    Args:
        rate: log chance of onset between two visits, (n, diseases).
        level: standard deviations by which a subject's measurements differ, (n, measurements).
    """

    rate: np.ndarray
    level: np.ndarray
    hidden: np.ndarray
    found: np.ndarray
    rung: np.ndarray
    hours: np.ndarray
    open: np.ndarray


def _start(subjects: pd.DataFrame, seed: int) -> _State:
    n = len(subjects)
    older = (subjects["age"].to_numpy() - 60) / 10
    female, smoker = (subjects["sex"] == "F").to_numpy(), (subjects["smoker"] == "yes").to_numpy()
    deprived = subjects["deprivation"].map(_DEPRIVATION.index).to_numpy(float)
    rate = np.stack(
        [
            np.log(d.rate)
            + d.older * older
            + np.where(female, d.female, 0.0)
            + d.smoker * smoker
            + 0.15 * deprived
            for d in DISEASES
        ],
        axis=1,
    )
    rate[:, _CODES.index("C50")] -= np.where(female, 0.0, np.inf)
    ids = list(subjects.index)
    level = seeding.normal(seed, ids, (_L,), stream="event levels") * 0.6
    level[:, _TESTS.index("WEIGHT")] -= 0.5 * female
    known = seeding.uniform(seed, ids, _K, stream="event history") < 2.5 * np.exp(rate)
    chronic = np.array([not d.acute for d in DISEASES])
    none = np.zeros((n, _K), dtype=bool)
    first = none.astype(int)
    return _State(rate, level, known & chronic, none, first, np.zeros(n), np.ones(n, dtype=bool))


def _simulate(subjects: pd.DataFrame, seed: int) -> pd.DataFrame:
    state, stream = _start(subjects, seed), _Stream()
    ids = list(subjects.index)
    for visit in range(_VISITS):
        u = seeding.uniform(seed, ids, 7 * _K + 3 * _L + 7, stream=f"visit {visit}")
        parts = np.split(u, np.cumsum([_K] * 7 + [_L] * 3), axis=1)
        _visit(state, stream, parts, subjects["age"].to_numpy())
    frame = pd.concat([part for part in stream.parts if len(part)])
    frame = frame.drop_duplicates(["item", "hours", "code"])  # one symptom of two diseases
    return frame.sort_values(["item", "hours"], kind="stable").reset_index(drop=True)


def _visit(state: _State, stream: _Stream, u: list[np.ndarray], age: np.ndarray) -> None:
    here, other = state.open[:, None], u[10]
    boost = np.log(4.0) * (state.found @ _CAUSES > 0)
    state.hidden |= (u[0] < np.exp(state.rate + boost)) & ~state.found & here
    shown = state.hidden & (u[1] < 0.5) & here
    new = state.hidden & (u[2] < 0.35 + 0.4 * _ACUTE) & here
    inside = (new & _ACUTE & (u[2] < 0.62)).any(axis=1)  # in hospital
    elective = ~inside & (new & (u[2] < 0.02)).any(axis=1)
    urgent = ~inside & ~elective & shown.any(axis=1) & (other[:, 0] < 0.25)
    inside |= elective
    state.found |= new
    state.hidden &= ~new
    arrival, leaving = state.hours, state.hours + np.where(inside, _stay(other[:, 1]), 0.0)
    _opened(state, stream, inside, elective, urgent)
    stream.mark(shown, arrival, _SYMPTOMS)
    tested, high = _measured(state, stream, u, new, inside, arrival)
    started = _treated(state, stream, u, new, tested, high, arrival)
    stream.mark(new & (u[5] < 0.75), np.where(inside, arrival + 24.0, arrival), _PROCEDURES)
    again = state.found & (u[6] < np.where(inside, 0.6, 0.15)[:, None]) & here
    stream.mark(new | again, leaving, _DIAGNOSES)
    dies = _dies(state, other[:, 2], age) & state.open
    stream.add(np.flatnonzero(inside & ~dies), leaving, _discharges(other[:, 3], inside & ~dies))
    stream.add(np.flatnonzero(dies), leaving, DEATH)
    state.open &= ~dies & (other[:, 4] > 0.14)
    gap = _until_next(other[:, 5:7], inside, started | shown.any(axis=1) | (high & tested).any(1))
    state.hours = leaving + gap
    state.open &= state.hours < _HORIZON
    state.found &= ~_ACUTE
    state.rung[:, _ACUTE] = 0


def _opened(
    state: _State, stream: _Stream, inside: np.ndarray, elective: np.ndarray, urgent: np.ndarray
) -> None:
    kinds = {
        ADMITTED[0]: elective,
        ADMITTED[1]: inside & ~elective,
        EMERGENCY: urgent,
        CLINIC: ~inside & ~urgent,
    }
    for code, rows in kinds.items():
        stream.add(np.flatnonzero(rows & state.open), state.hours, code)


def _measured(
    state: _State,
    stream: _Stream,
    u: list[np.ndarray],
    new: np.ndarray,
    inside: np.ndarray,
    hours: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Add measurements; return which were made and which are abnormal, (n, measurements)."""
    wanted = 0.9 * (new @ _ORDERS) + 0.22 * (state.found @ _ORDERS) + 0.3 * _VITAL
    made = (u[7] < np.minimum(wanted + 0.25 * inside[:, None] * _PANEL, 0.95)) & state.open[:, None]
    untreated = np.where(state.found | state.hidden, 0.55**state.rung, 0.0)  # (n, diseases)
    noise = _normal(u[8], u[9])
    score = state.level + untreated @ _SHIFTS + 0.6 * noise
    values = np.where(_SKEWED, _MEAN * np.exp(_SD * score), _MEAN + _SD * score)
    values = np.round(np.maximum(values, _STEP) / _STEP) * _STEP
    who, which = np.nonzero(made)
    stream.add(who, hours, _LABS[which], np.round(values[who, which], 2))
    return made, np.abs(score) > 1.5


def _treated(
    state: _State,
    stream: _Stream,
    u: list[np.ndarray],
    new: np.ndarray,
    tested: np.ndarray,
    high: np.ndarray,
    hours: np.ndarray,
) -> np.ndarray:
    """Start, escalate and repeat drugs; return who got a new one, (n,)."""
    uncontrolled = ((tested & high) @ _ORDERS.T > 0) & state.found & (state.rung > 0)
    start = state.found & (state.rung == 0) & (u[3] < np.where(new, 0.8, 0.5))
    more = uncontrolled & (state.rung < _LINES) & (u[3] < 0.6)
    begun = (start | more) & state.open[:, None]
    state.rung += begun
    repeated = (state.rung > 0) & state.found & ~begun & (u[4] < 0.18) & state.open[:, None]
    who, which = np.nonzero(begun | repeated)
    stream.add(who, hours, _DRUGS[which, state.rung[who, which] - 1])
    return begun.any(axis=1)


def _dies(state: _State, u: np.ndarray, age: np.ndarray) -> np.ndarray:
    chance = 0.002 * np.exp(0.07 * (age - 65)) + state.found @ _DEADLY
    return u < np.minimum(chance, 0.5)


def _stay(u: np.ndarray) -> np.ndarray:
    """Return the length of a hospital stay in hours, whole hours of at least a day and a half."""
    return np.round(36.0 + 72.0 * (-np.log(u)) ** 1.2)


def _discharges(u: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.array(DISCHARGED, dtype=object)[(u[rows] < 0.2).astype(int)]


def _until_next(u: np.ndarray, inside: np.ndarray, soon: np.ndarray) -> np.ndarray:
    """Return hours to the next visit: days after a stay, weeks or months otherwise."""
    days = np.where(inside, 12.0, np.where(soon, 30.0, 170.0))
    spread = np.exp(0.5 * _normal(u[:, 0], u[:, 1]))
    return 24.0 * np.maximum(np.round(days * spread), 2.0)


def _normal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return standard normal numbers from uniform ones (Box-Muller)."""
    return np.sqrt(-2 * np.log(a)) * np.cos(2 * np.pi * b)


def _names(prefix: str, names: list[str]) -> np.ndarray:
    return np.array([f"{prefix}//{name}" if name else "" for name in names], dtype=object)


def _drug(d: Disease, line: int) -> str:
    return f"DRUG//{d.drugs[line]}" if line < len(d.drugs) else ""


_ACUTE = np.array([d.acute for d in DISEASES])
_DEADLY = np.array([d.deadly for d in DISEASES])
_LINES = np.array([len(d.drugs) for d in DISEASES])
_SYMPTOMS = _names("SYMPTOM", [d.symptom for d in DISEASES])
_PROCEDURES = _names("PROCEDURE", [d.procedure for d in DISEASES])
_DIAGNOSES = _names("DIAGNOSIS//ICD10", _CODES)
_DRUGS = np.array([[_drug(d, k) for k in range(3)] for d in DISEASES], dtype=object)
_LABS = np.array([_lab(m.code, m.unit) for m in MEASUREMENTS], dtype=object)
_MEAN, _SD, _STEP = (
    np.array([getattr(m, k) for m in MEASUREMENTS]) for k in ("mean", "sd", "step")
)
_SKEWED = np.array([m.skewed for m in MEASUREMENTS])
_VITAL = np.array([m.code in ("SYSTOLIC_BP", "HEART_RATE") for m in MEASUREMENTS], dtype=float)
_PANEL = np.array([m.code in ("CREATININE", "SODIUM", "POTASSIUM", "CRP") for m in MEASUREMENTS])
_SHIFTS = np.array([[d.tests.get(t, 0.0) for t in _TESTS] for d in DISEASES])  # (diseases, tests)
_ORDERS = (_SHIFTS != 0).astype(float)
_CAUSES = np.array([[float(a.code in d.after) for d in DISEASES] for a in DISEASES])
