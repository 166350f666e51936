"""Tiny notes that depend visibly on two conditions."""

from __future__ import annotations

import pandas as pd

from casemix.core import seeding
from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples
from casemix.modalities.text.data import Notes

SCHEMA = Schema(
    (
        Field("severity", Kind.NUMERIC, range=(0, 1)),
        Field("group", Kind.CATEGORICAL, levels=("a", "b")),
    )
)
_WORD = {"a": "asthma", "b": "bronchitis"}


def toy(n: int = 64, *, seed: int = 0) -> tuple[Samples, Conditions]:
    """Return n notes that state the group in words and the severity as a number."""
    ids = pd.Index([f"toy-{seed}-{i}" for i in range(n)], dtype=object)
    u = seeding.uniform(seed, list(ids), 3, stream="toy")
    group = ["a" if x < 0.5 else "b" for x in u[:, 0]]
    severity = (u[:, 1] * 100).round() / 100
    texts = []
    for g, s, x in zip(group, severity, u[:, 2], strict=True):
        cough = "Reports cough." if x < 0.5 else "No cough."
        state = "Unwell." if s > 0.5 else "Stable."
        texts.append(f"HISTORY: Known {_WORD[g]}. {cough}\nFINDINGS: Score {s:.2f} points. {state}")
    given = Conditions.of(pd.DataFrame({"severity": severity, "group": group}, ids), SCHEMA)
    return Samples("text", given.rows[["subject_id", "time"]], Notes(tuple(texts))), given
