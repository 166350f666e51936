"""What is judged: real tables, real tables without what few subjects have, and methods."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pandas as pd
from linked_parts.guarded import guarded

from casemix.core import registry
from casemix.core.cohort import Cohort
from casemix.core.conditions import Conditions
from casemix.core.samples import Samples


@dataclass(frozen=True)
class Made:
    """Tables under test, their subjects' context, and what they cost in CPU-seconds."""

    samples: Samples
    subjects: pd.DataFrame
    fit: float = 0.0
    sample: float = 0.0


def made(method: str, train: Cohort, seed: int) -> Made:
    """Return what a method makes of the training half: as many subjects, with their contexts.

    Args:
        method: registry name, ``real`` for the training half itself, or ``real-guarded`` for it
            with the cells that fewer than five subjects have replaced.
        train: the subjects to fit on.
        seed: seed of the fit; ``seed + 1`` draws.
    """
    if method == "real":
        return Made(train["relational"], train.subjects)
    if method == "real-guarded":
        return Made(guarded(train["relational"], seed), train.subjects)
    given = train.conditions("relational")
    started = time.process_time()
    fitted = registry.load("generators", method)().fit(train["relational"], given, seed=seed)
    between = time.process_time()
    ids = pd.Index([f"syn-{i}" for i in range(len(given))], dtype=object)
    rows = given.rows.assign(subject_id=ids).set_axis(ids, axis=0)
    samples = fitted.generate(Conditions(rows, given.schema), seed=seed + 1)
    cost = between - started, time.process_time() - between
    return Made(samples, rows[list(given.schema.names)], *cost)
