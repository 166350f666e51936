"""Tiny learnable linked tables: stays with laboratory values, and problems, of each subject."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.core import seeding
from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples
from casemix.modalities.relational.data import ROOT, LinkedTables
from casemix.modalities.relational.table_form import TableForm

_PROBLEMS = ("asthma", "diabetes", "fracture", "migraine")
STAYS = TableForm(
    "stays",
    Schema(
        (
            Field("ward", Kind.CATEGORICAL, levels=("cardiology", "medicine", "surgery")),
            Field("admitted", Kind.NUMERIC, "h"),
            Field("discharged", Kind.NUMERIC, "h"),
        )
    ),
    times=("admitted", "discharged"),
    spans=(("admitted", "discharged"),),
)
LABS = TableForm(
    "labs",
    Schema(
        (
            Field("taken", Kind.NUMERIC, "h"),
            Field("test", Kind.CATEGORICAL, levels=("creatinine", "troponin")),
            Field("value", Kind.NUMERIC, "1", range=(0, 100)),
        )
    ),
    parent="stays",
    times=("taken",),
    within=True,
)
PROBLEMS = TableForm("problems", Schema((Field("code", Kind.CATEGORICAL, levels=_PROBLEMS),)))
FORMS = (STAYS, LABS, PROBLEMS)
CONDITIONS = Schema(
    (
        Field("severity", Kind.NUMERIC, "1", range=(0, 1)),
        Field("group", Kind.CATEGORICAL, levels=("a", "b")),
    )
)


def toy(n: int = 64, *, seed: int = 0) -> tuple[Samples, Conditions]:
    """Return n subjects and their conditions.

    Subjects have one to three stays; severe cases stay longer and have more and higher laboratory
    values; the ward follows ``group``, and cardiology takes troponin more often. Problems do not
    repeat within a subject.
    """
    ids = [f"toy-{seed}-{i}" for i in range(n)]
    u = seeding.uniform(seed, ids, 2, stream="toy")  # (n, 2)
    group = np.where(u[:, 1] < 0.5, "a", "b").astype(object)
    parts = [_subject(seed, s, i, float(u[i, 0]), str(group[i])) for i, s in enumerate(ids)]
    frames = {
        form.name: pd.DataFrame(
            [row for part in parts for row in part[form.name]],
            columns=["item", "row", "parent", *form.schema.names],
        )
        for form in FORMS
    }
    context = pd.DataFrame({"severity": u[:, 0], "group": group}, index=pd.Index(ids, dtype=object))
    given = Conditions.of(context, CONDITIONS)
    index = given.rows[["subject_id", "time"]]
    return Samples("relational", index, LinkedTables(FORMS, frames, n)), given


def _subject(
    seed: int, subject: str, item: int, severity: float, group: str
) -> dict[str, list[tuple[object, ...]]]:
    rng = seeding.generator(seed, "toy", subject)
    stays: list[tuple[object, ...]] = []
    labs: list[tuple[object, ...]] = []
    now = 24.0 * int(rng.integers(0, 3))
    for stay in range(1 + rng.binomial(2, 0.2 + 0.6 * severity)):
        usual = "cardiology" if group == "a" else "medicine"
        ward = "surgery" if rng.random() < 0.15 else usual
        end = now + float(12 + round(48 * severity + rng.exponential(12)))
        stays.append((item, stay, ROOT, ward, now, end))
        moments = np.sort(np.floor(now + (end - now) * rng.random(1 + rng.binomial(5, severity))))
        for moment in moments:
            troponin = rng.random() < (0.8 if ward == "cardiology" else 0.2)
            value = round((30 if troponin else 10) * (0.5 + severity) + rng.normal(0, 2), 1)
            test = "troponin" if troponin else "creatinine"
            labs.append((item, len(labs), stay, float(moment), test, float(np.clip(value, 0, 100))))
        now = end + 24.0 * int(rng.integers(1, 5))
    chosen = rng.permutation(len(_PROBLEMS))[: rng.binomial(3, 0.3 + 0.5 * severity)]
    problems: list[tuple[object, ...]] = [
        (item, i, ROOT, _PROBLEMS[k]) for i, k in enumerate(sorted(chosen))
    ]
    return {"stays": stays, "labs": labs, "problems": problems}
