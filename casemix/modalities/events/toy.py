"""Tiny learnable event streams: what follows what, how soon and how high depends on conditions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.core import seeding
from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples
from casemix.modalities.events.data import Events

CONDITIONS = Schema(
    (
        Field("severity", Kind.NUMERIC, "1", range=(0, 1)),
        Field("group", Kind.CATEGORICAL, levels=("a", "b")),
    )
)
_LAB, _UNIT = "LAB//CRP//mg/L", "mg/L"
_DISEASE = {"a": "J45", "b": "J18"}
_DRUG = {"a": "SALBUTAMOL", "b": "AMOXICILLIN"}


def toy(n: int = 64, *, seed: int = 0) -> tuple[Samples, Conditions]:
    """Return n histories of two to five visits and their conditions.

    The first visit tells a symptom and measures, the second names the group's disease, the next
    ones bring its drug; severe cases come sooner, measure higher, go to hospital and may die. Each
    visit also notes one of twelve observations, whatever came before.
    """
    ids = [f"toy-{seed}-{i}" for i in range(n)]
    u = seeding.uniform(seed, ids, 24, stream="toy events")  # (n, 24)
    severity, group = np.round(u[:, 0], 2), np.where(u[:, 1] < 0.5, "a", "b")
    rows = [
        (item, *event)
        for item in range(n)
        for event in _history(float(severity[item]), str(group[item]), u[item, 2:])
    ]
    frame = pd.DataFrame(rows, columns=["item", "hours", "code", "value"])
    context = {"severity": severity, "group": group.astype(object)}
    given = Conditions.of(pd.DataFrame(context, pd.Index(ids, dtype=object)), CONDITIONS)
    payload = Events(frame, n, {_LAB: _UNIT})
    return Samples("events", given.rows[["subject_id", "time"]], payload), given


def _history(severity: float, group: str, u: np.ndarray) -> list[tuple[float, str, float]]:
    none = float("nan")
    hours = 0.0
    found = [
        (0.0, "VISIT//CLINIC", none),
        (0.0, "SYMPTOM//COUGH" if u[0] < 0.7 else "SYMPTOM//FEVER", none),
        (0.0, _LAB, _crp(severity, u[1])),
        (0.0, _observation(u[16]), none),
    ]
    hours += float(np.round(24 + 400 * u[2] * (1.1 - severity)))
    named = ("VISIT//CLINIC", f"DIAGNOSIS//{_DISEASE[group]}", _observation(u[17]))
    found += [(hours, code, none) for code in named]
    for visit in range(int(1 + 3 * u[3])):
        drawn = u[4 + 4 * visit : 8 + 4 * visit]
        hours += float(np.round(24 + 400 * drawn[0] * (1.1 - severity)))
        inside = severity > 0.6 and drawn[1] < 0.7
        found.append((hours, "HOSPITAL_ADMISSION" if inside else "VISIT//CLINIC", none))
        found.append((hours, f"DRUG//{_DRUG[group]}", none))
        found.append((hours, _observation(u[(18, 19, 21)[visit]]), none))
        if drawn[2] < 0.6:
            found.append((hours, _LAB, _crp(severity, drawn[3])))
        if inside:
            hours += 72.0
            found.append((hours, "HOSPITAL_DISCHARGE", none))
    if severity > 0.8 and u[20] < 0.5:
        found.append((hours + 48.0, "MEDS_DEATH", none))
    return found


def _observation(u: float) -> str:
    return f"OBSERVATION//{int(12 * u):02d}"


def _crp(severity: float, u: float) -> float:
    return float(np.round(2 + 60 * severity + 20 * u, 1))
