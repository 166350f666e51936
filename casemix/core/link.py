"""One link of a chain: how a modality's records are planned, made, and read by later ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from casemix.core.cohort import Cohort
from casemix.core.conditions import Conditions
from casemix.core.constrained import Demand, met, rows_of
from casemix.core.fields import Schema
from casemix.core.generator import Generator
from casemix.core.link_fits import LinkFit
from casemix.core.progress import Progress
from casemix.core.record_plan import RecordPlan
from casemix.core.samples import Samples
from casemix.core.seeding import child
from casemix.core.upstream import Upstream
from casemix.core.wishes import Wishes, generate_wished, new_fields


@dataclass(frozen=True)
class Seen:
    """What later modalities know of one.

    Args:
        rows: findings and axes of the embedding, one row per subject, indexed by its id.
        schema: the rows' fields.
    """

    rows: pd.DataFrame
    schema: Schema


@dataclass(frozen=True)
class Link:
    """One modality of a chain.

    Args:
        modality: whose records it makes.
        reads: the modalities before it that it knows of: those that one cohort ties to it.
        columns: the columns of a table, any of which may be asked for; none for others.
        plan: how many records a subject has, when, and of what sort.
        view: what later modalities read of it.
        generator: makes the records.
    """

    modality: str
    reads: tuple[str, ...]
    columns: Schema
    plan: RecordPlan
    view: Upstream
    generator: Generator

    def seen(self, samples: Samples) -> Seen:
        """Return what later modalities know of these records."""
        return Seen(self.view.per_subject(samples), self.view.schema)

    def to_learn(
        self, cohort: Cohort, context: Schema, seen: Iterable[Seen], *, seed: int
    ) -> LinkFit:
        """Return what the generator, not fitted yet, is to learn.

        Args:
            cohort: the real records, and all that is known of each.
            context: the cohort's fields that are read.
            seen: of the modalities that the link reads, in its order.
            seed: seed of the fit.
        """
        samples = cohort[self.modality]
        given = cohort.conditions(self.modality, (*context.names, *samples.schema.names))
        given = _joined(given, seen)
        if len(self.columns):
            own = samples.payload.frame.set_axis(given.rows.index, axis=0)
            given = given.join(own, new_fields(self.columns, given.schema))
        given = _honoured(given, self.generator)
        return LinkFit(self.modality, self.generator, samples, given, child(seed, "generator"))

    def draw(
        self,
        subjects: Conditions,
        seen: Iterable[Seen],
        wishes: Wishes,
        *,
        seed: int,
        progress: Progress,
    ) -> Samples:
        """Return the records of these subjects.

        Args:
            subjects: the context, one row per subject.
            seen: of the modalities that the link reads, in its order.
            wishes: what each row of a table must meet.
            seed: with the subjects' ids, it determines every record.
            progress: where to report.

        Raises:
            ConditionError: a wish that no drawn row met.
        """
        plan = self.plan.draw(subjects, self.modality, seed=child(seed, "plan"))
        given = _honoured(_joined(plan, seen), self.generator)

        def generate(asked: Conditions) -> Samples:
            return self.generator.generate(asked, seed=child(seed, "generate"), progress=progress)

        if not len(self.columns):
            return generate(given)
        return generate_wished(generate, given, wishes, self.columns, seed=child(seed, "meeting"))

    def meets(self, subjects: Conditions, wanted: Sequence[Demand], *, seed: int) -> np.ndarray:
        """Return for which subjects every row of a table drawn for them meets the demands.

        Args:
            subjects: the context, one row per subject.
            wanted: demands on each row.
            seed: with the subjects' ids, it determines the table.

        Returns:
            bool (n,).
        """
        plan = self.plan.draw(subjects, self.modality, seed=child(seed, "suited plan"))
        given = _honoured(plan, self.generator)
        drawn = self.generator.generate(given, seed=child(seed, "suited"))
        bad = given.rows["subject_id"][~met(rows_of(drawn, given), wanted)]
        return ~subjects.rows["subject_id"].isin(bad).to_numpy()


def _joined(given: Conditions, seen: Iterable[Seen]) -> Conditions:
    for earlier in seen:
        given = given.join(earlier.rows, earlier.schema, on="subject_id")
    return given


def _honoured(given: Conditions, generator: Generator) -> Conditions:
    """Return the conditions without fields of a kind that the generator does not honour."""
    return given.pick(f.name for f in given.schema if f.kind in generator.honours)
