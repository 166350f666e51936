"""The first link of a chain: its subjects, learnt as a table and drawn as wished."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from casemix.core import registry, seeding
from casemix.core.cohort import Cohort
from casemix.core.conditions import Conditions
from casemix.core.constrained import generate_meeting
from casemix.core.fields import Schema
from casemix.core.generator import Generator
from casemix.core.link_fits import LinkFit
from casemix.core.samples import Samples
from casemix.core.seeding import child
from casemix.core.wishes import TABLE, Wishes

SUBJECTS = "subjects"  # the link's name
PREFIX = "syn-"  # of every synthetic subject's id, and of no real one's
_ROUNDS = 16  # draws of a subject that is not suited
_POOL = 2048  # subjects drawn in search of some that are


def new_subjects(n: int, schema: Schema) -> Conditions:
    """Return the conditions of ``n`` new subjects of whom nothing is specified yet."""
    ids = pd.Index([f"{PREFIX}{i:06d}" for i in range(n)], dtype=object)
    return Conditions.of(schema.empty(ids), schema)


def subjects_to_learn(
    generator: Generator, cohort: Cohort, schema: Schema, *, seed: int
) -> LinkFit:
    """Return the chain's first link: the subjects table, given any subset of its cells.

    Args:
        generator: an unfitted tabular generator.
        cohort: the real subjects.
        schema: the fields of their context.
        seed: seed of the fit.
    """
    frame = cohort.subjects[list(schema.names)]
    index = pd.DataFrame({"subject_id": frame.index, "time": 0.0}, index=frame.index)
    table = Samples(TABLE, index, registry.payload_type(TABLE)(frame, schema))
    return LinkFit(SUBJECTS, generator, table, Conditions.of(frame, schema), seed)


def draw_subjects(
    generator: Generator, asked: Conditions, wishes: Wishes, *, seed: int
) -> Conditions:
    """Return the subjects' context, with what was unspecified drawn as wished.

    Args:
        generator: fitted on what `subjects_to_learn` returns.
        asked: what is known of each subject.
        wishes: those on the context are looked at.
        seed: with the ids, it determines every cell.

    Raises:
        ConditionError: a wish that what is known excludes, or that no drawn subject met.
    """
    drawn = generate_meeting(
        lambda given: generator.generate(given, seed=seed),
        Conditions(wishes.fix(asked.rows, asked.schema), asked.schema),
        wishes.context,
        seed=child(seed, "meeting"),
    )
    frame = drawn.payload.frame.set_axis(asked.rows.index, axis=0)
    return Conditions.of(frame[list(asked.schema.names)], asked.schema)


def draw_suited(
    draw: Callable[[Conditions], Conditions],
    suited: Callable[[Conditions], np.ndarray],
    asked: Conditions,
    *,
    seed: int,
) -> Conditions:
    """Return subjects, each drawn anew until it is suited.

    After a few rounds, subjects of whom nothing is known are taken from a pool of suited ones, if
    it has any; the others stay as they were drawn first.

    Args:
        draw: what is known of subjects -> their context; each depends on its own row alone.
        suited: drawn subjects -> which of them are suited, bool (n,).
        asked: what is known of each subject.
        seed: seed of the choice from the pool.
    """
    drawn = draw(asked)
    if not asked.values.isna().to_numpy().any():
        return drawn
    rows = drawn.values.copy()
    open_ = np.flatnonzero(~suited(drawn))
    for attempt in range(1, _ROUNDS):
        if not len(open_):
            break
        again = draw(_renamed(asked.take(open_), f"#{attempt}"))
        good = suited(again)
        rows.iloc[open_[good]] = again.values[good].to_numpy()
        open_ = open_[~good]
    rest = asked.take(open_)
    if len(open_) and rest.values.isna().to_numpy().all():
        pool = draw(_renamed(new_subjects(_POOL, asked.schema), "#pool"))
        hits = pool.values[suited(pool)]
        if len(hits):
            u = seeding.uniform(seed, rest.sample_ids, 1, stream="pool")[:, 0]
            rows.iloc[open_] = hits.iloc[(u * len(hits)).astype(int)].to_numpy()
    return Conditions.of(rows, asked.schema)


def _renamed(asked: Conditions, suffix: str) -> Conditions:
    """Return the same subjects' conditions under other ids, and so with other draws."""
    ids = pd.Index([f"{i}{suffix}" for i in asked.sample_ids], dtype=object)
    return Conditions(asked.rows.assign(subject_id=ids).set_axis(ids, axis=0), asked.schema)
