"""Tiny learnable tables: every column depends visibly on the conditions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.core import seeding
from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples
from casemix.modalities.tabular.data import Table

SCHEMA = Schema(
    (
        Field("marker", Kind.NUMERIC, "ng/L", range=(0, 1000)),
        Field("clearance", Kind.NUMERIC, "mL/min"),
        Field("stage", Kind.ORDINAL, levels=("I", "II", "III")),
        Field("ward", Kind.CATEGORICAL, levels=("cardiology", "medicine", "surgery")),
        Field("treated", Kind.BINARY),
    )
)
CONDITIONS = Schema(
    (
        Field("severity", Kind.NUMERIC, "1", range=(0, 1)),
        Field("group", Kind.CATEGORICAL, levels=("a", "b")),
    )
)


def toy(n: int = 64, *, seed: int = 0) -> tuple[Samples, Conditions]:
    """Return n records and their conditions.

    ``marker`` rises with ``severity`` and is recorded in whole ng/L; ``clearance`` (one decimal)
    falls with ``marker`` and is left out more often in mild cases; ``ward`` follows ``group``.
    """
    ids = [f"toy-{seed}-{i}" for i in range(n)]
    u = seeding.uniform(seed, ids, 5, stream="toy")  # (n, 5)
    z = seeding.normal(seed, ids, (2,), stream="toy noise")  # (n, 2)
    severity = u[:, 0]
    group = np.where(u[:, 1] < 0.5, "a", "b").astype(object)
    log_marker = 2.0 + 3.0 * severity + 0.3 * z[:, 0]
    clearance = 110.0 - 15.0 * log_marker + 5.0 * z[:, 1]
    stage = np.digitize(severity + 0.1 * z[:, 1], (0.33, 0.67))
    ward = np.where(u[:, 2] < 0.2, "surgery", np.where(group == "a", "cardiology", "medicine"))
    frame = pd.DataFrame(
        {
            "marker": np.clip(np.round(np.exp(log_marker)), 0, 1000),
            "clearance": np.where(u[:, 3] < 0.3 * (1 - severity), np.nan, np.round(clearance, 1)),
            "stage": np.array(SCHEMA["stage"].levels, dtype=object)[stage],
            "ward": ward.astype(object),
            "treated": np.where(u[:, 4] < severity, "yes", "no").astype(object),
        },
        index=pd.Index(ids, dtype=object),
    )
    context = pd.DataFrame({"severity": severity, "group": group}, index=frame.index)
    given = Conditions.of(context, CONDITIONS)
    return Samples("tabular", given.rows[["subject_id", "time"]], Table(frame, SCHEMA)), given
