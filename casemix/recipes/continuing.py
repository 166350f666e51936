"""What may come next: recorded histories, continued by a saved model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from casemix.core import artifact, linked
from casemix.core.cohort import Cohort, Provenance
from casemix.core.conditions import Conditions
from casemix.core.generator import Continues, Generator
from casemix.core.linked import LinkedModel
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.errors import CohortError, RunError
from casemix.recipes import single
from casemix.recipes.single import Single

EVENTS = "events"


def continue_histories(
    model: Path,
    histories: Path,
    *,
    until_hours: float | None,
    seed: int,
    trust: bool,
    progress: Progress,
) -> Cohort:
    """Return what a model adds to the histories of a cohort, without the histories themselves.

    What was given may be real, so that only what was made comes out: one subject per given one, in
    the same order, under a synthetic id. Times still count from the given subject's index time.

    Args:
        model: a saved generator of events, or a chain that has one.
        histories: a cohort folder with event streams.
        until_hours: hours since the index time after which nothing is added.
        seed: seed.
        trust: allow formats that can run code.
        progress: where to report.

    Raises:
        RunError: a model that cannot continue histories.
        CohortError: nothing is added to any history.
    """
    generator, names = _generator(model, trust)
    cohort = Cohort.load(histories)
    history, given = cohort[EVENTS], cohort.conditions(EVENTS)
    given = given.pick(name for name in names if name in given.schema)
    whole = generator.continue_(
        history, given, seed=seed, until_hours=until_hours, progress=progress
    )
    added = _after(whole, history)
    return _cohort(added, given, cohort, seed)


def _generator(model: Path, trust: bool) -> tuple[Continues, tuple[str, ...]]:
    """Return the generator of events, and the conditions that it may be given."""
    kind = artifact.kind_of(model)
    found: Generator | None = None
    names: tuple[str, ...] = ()
    if kind == single.KIND:
        loaded = Single.load(model, trust=trust)
        found, names = loaded.generator, loaded.schema.names
    elif kind == linked.KIND:
        chain = LinkedModel.load(model, trust=trust)
        found, names = chain.fitted.get(EVENTS), chain.schema.names
    if not isinstance(found, Continues):
        raise RunError(
            f"{model} cannot continue histories.",
            given=kind if found is None else type(found).__name__,
            allowed=["events/feedforward", "events/transformer", "a chain with one of them"],
            next_step="Fit one with: casemix fit events/feedforward --data COHORT --out MODEL",
        )
    return found, names


def _after(whole: Samples, history: Samples) -> Samples:
    """Return histories without the events that were given."""
    frame, items = whole.payload.frame, len(history)
    known = np.bincount(history.payload.frame["item"], minlength=items)
    place = frame.groupby("item").cumcount().to_numpy()
    added = frame[place >= known[frame["item"].to_numpy()]].reset_index(drop=True)
    payload = type(whole.payload)(added, items, whole.payload.units)
    return Samples(whole.modality, whole.index, payload, whole.schema)


def _cohort(added: Samples, given: Conditions, cohort: Cohort, seed: int) -> Cohort:
    if added.payload.frame.empty:
        raise CohortError(
            "Nothing is added to any history.",
            next_step="Give a later --until-hours, or subjects who are alive.",
        )
    order = pd.unique(added.index["subject_id"])
    ids = {subject: f"{linked.PREFIX}{i:06d}" for i, subject in enumerate(order)}
    index = added.index.assign(subject_id=added.index["subject_id"].map(ids))
    index.index = pd.Index([f"{linked.PREFIX}{i:06d}.{EVENTS}" for i in range(len(index))])
    context = cohort.schema.pick(n for n in given.schema.names if n in cohort.schema)
    subjects = cohort.subjects[list(context.names)].loc[list(order)]
    about = {
        "name": "what may come next, made by casemix",
        "seed": str(seed),
        "context": f"of the {cohort.provenance} subjects whose histories were continued",
    }
    made = Samples(EVENTS, index, added.payload, added.schema)
    subjects = subjects.set_axis(pd.Index(list(ids.values()), dtype=object), axis=0)
    return Cohort(subjects, context, {EVENTS: made}, Provenance.SYNTHETIC, about=about)
