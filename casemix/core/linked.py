"""LinkedModel: one chain of generators over one patient context.

``p(subject, a, b, c) = p(subject) p(a | subject) p(b | subject, a) p(c | subject, a, b)``:
each modality is generated given the context, the record plan, and the typed findings and the
whitened embedding of the modalities before it. In fitting these come from real records, in
sampling from generated ones, so modalities stay tied beyond the context that they share.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from casemix.core import registry
from casemix.core.cohort import Cohort, Provenance
from casemix.core.composite import cohort_of_each, shared_context
from casemix.core.conditions import Conditions
from casemix.core.constrained import Demand
from casemix.core.evaluator import Evaluator
from casemix.core.fields import Schema
from casemix.core.generator import Generator
from casemix.core.link import Link, Seen
from casemix.core.link_fits import fit_links
from casemix.core.progress import Progress
from casemix.core.record_plan import RecordPlan
from casemix.core.samples import Samples
from casemix.core.seeding import child
from casemix.core.subjects import (
    PREFIX,
    SUBJECTS,
    draw_subjects,
    draw_suited,
    new_subjects,
    subjects_to_learn,
)
from casemix.core.upstream import Upstream
from casemix.core.wishes import TABLE, Wishes
from casemix.errors import ConditionError, FitError

__all__ = ["KIND", "PREFIX", "LinkedModel"]

KIND = "core/linked"


@dataclass
class LinkedModel:
    """A chain of generators that makes linked patients.

    Args:
        generators: modality -> unfitted generator.
        tabular: an unfitted tabular generator for the subjects table and the record plans.
        evaluators: modality -> unfitted evaluator, whose findings and embedding later
            modalities read; by default ``<modality>/standard``.
        order: the chain's order; by default the order of ``generators``.
        reads: modality -> earlier modalities that it reads; by default all of them.
        embedding_size: whitened axes of each upstream embedding that are read.
    """

    generators: Mapping[str, Generator]
    tabular: Generator
    evaluators: Mapping[str, Evaluator] = field(default_factory=dict)
    order: Sequence[str] = ()
    reads: Mapping[str, Sequence[str]] = field(default_factory=dict)
    embedding_size: int = 8

    def __post_init__(self) -> None:
        self.order = tuple(self.order) or tuple(self.generators)
        if set(self.order) != set(self.generators):
            raise FitError(
                "The chain's order must name each modality once.",
                given=self.order,
                allowed=list(self.generators),
            )
        self.reads = {
            m: tuple(self.reads.get(m, self.order[: self.order.index(m)])) for m in self.order
        }
        for modality, earlier in self.reads.items():
            late = [e for e in earlier if e not in self.order[: self.order.index(modality)]]
            if late:
                raise FitError(f"'{modality}' can only read modalities before it.", given=late)
        self.schema = Schema()
        self.subjects: Generator | None = None
        self.links: dict[str, Link] = {}

    @property
    def columns(self) -> Schema:
        """The table's columns, if the chain has a table and is fitted."""
        return self.links[TABLE].columns if TABLE in self.links else Schema()

    @property
    def fitted(self) -> dict[str, Generator]:
        """The fitted generators by modality; none before `fit`."""
        return {m: link.generator for m, link in self.links.items()}

    @property
    def linked(self) -> dict[str, tuple[str, ...]]:
        """Which earlier modalities each one reads, of those that one cohort ties to it."""
        return {m: link.reads for m, link in self.links.items()}

    def fit(
        self,
        cohort: Cohort | Mapping[str, Cohort],
        *,
        seed: int,
        workers: int = 1,
        progress: Progress | None = None,
    ) -> LinkedModel:
        """Fit every link of the chain.

        Args:
            cohort: one linked cohort, or one cohort per modality (a composite): then only the
                context fields that all share are used, and a modality reads another only
                where both come from one cohort.
            seed: seed of all fits.
            workers: processes that fit links side by side; the links are independent, since
                in fitting each reads real records.
            progress: with a checkpoint folder, finished links are kept there and an
                interrupted fit goes on with the next one.

        Raises:
            FitError: a modality without a cohort, no shared context, or too few subjects.
        """
        cohorts = cohort_of_each(cohort, self.order)
        self.schema = shared_context(list(cohorts.values()))
        reads = {m: tuple(e for e in self.reads[m] if cohorts[e] is cohorts[m]) for m in self.order}
        links = {m: self._start(m, cohorts[m], reads[m], child(seed, m)) for m in self.order}
        seen = {m: links[m].seen(cohorts[m][m]) for m in _read_later(links)}
        fits = [
            link.to_learn(
                cohorts[m], self.schema, [seen[e] for e in link.reads], seed=child(seed, m)
            )
            for m, link in links.items()
        ]
        if len(self.schema):
            largest = max(cohorts.values(), key=len)
            subjects = copy.deepcopy(self.tabular)
            fits.append(
                subjects_to_learn(subjects, largest, self.schema, seed=child(seed, SUBJECTS))
            )
        fitted = fit_links(fits, workers=workers, progress=progress or Progress())
        self.subjects = fitted.pop(SUBJECTS, None)
        self.links = {m: replace(link, generator=fitted[m]) for m, link in links.items()}
        return self

    def _start(self, modality: str, cohort: Cohort, reads: tuple[str, ...], seed: int) -> Link:
        """Return a link whose plan and view are fitted, and whose generator is not."""
        samples = cohort[modality]
        context = cohort.subject_conditions().pick(self.schema.names)
        plan = RecordPlan(self.tabular).fit(samples, context, seed=child(seed, "plan"))
        evaluator = copy.deepcopy(self.evaluators.get(modality) or _standard(modality))
        evaluator = evaluator.fit(samples, seed=child(seed, "evaluator"))
        view = Upstream.fit(evaluator, samples, size=self.embedding_size)
        columns = samples.payload.schema if modality == TABLE else Schema()
        generator = copy.deepcopy(self.generators[modality])
        return Link(modality, reads, columns, plan, view, generator)

    def wanted(self, n: int) -> Conditions:
        """Return the conditions of ``n`` new subjects of whom nothing is specified yet."""
        return new_subjects(n, self.schema)

    def sample(
        self,
        subjects: int | Conditions,
        *,
        seed: int,
        where: str = "",
        rules: Mapping[str, Sequence[Demand]] = MappingProxyType({}),
        progress: Progress | None = None,
    ) -> Cohort:
        """Make linked patients.

        Args:
            subjects: how many, or conditions with one row per subject whose unspecified cells
                are drawn; ids are kept. Shards of `wanted` give the same patients as the whole.
            seed: with the ids, it determines every patient.
            where: an expression over the context and the table's columns that each subject (in
                each of its rows of the table) must meet, e.g. ``age > 70 and creatinine > 2``.
            rules: demands that each row of the ``context`` and of the ``tabular`` samples must
                meet besides.
            progress: where to report.

        Raises:
            ConditionError: an unknown field, or an expression that is (almost) never met.
        """
        if not self.links:
            raise FitError("The linked model is not fitted.", next_step="Call fit, or load one.")
        progress = progress or Progress()
        asked = self.wanted(subjects) if isinstance(subjects, int) else subjects.align(self.schema)
        wishes = self._wishes(where, rules)
        drawn = self._draw_subjects(asked, wishes, seed)
        made = self._draw_records(drawn, wishes, seed, progress)
        return Cohort(
            drawn.values,
            self.schema,
            {m: s for m, s in made.items() if len(s)},
            Provenance.SYNTHETIC,
            about={"name": "casemix synthetic patients", "seed": str(seed), "where": where or "-"},
        )

    def _wishes(self, where: str, rules: Mapping[str, Sequence[Demand]]) -> Wishes:
        wishes = Wishes.of(where, rules, context=self.schema, columns=self.columns)
        if wishes.table and self.order[0] != TABLE:
            raise ConditionError(
                "The chain draws the table after other modalities, which cannot follow its cells.",
                given=[d.text for d in wishes.table],
                allowed=self.schema.names,
                next_step="Put tabular first in the chain's order, or name context fields only.",
            )
        return wishes

    def _draw_subjects(self, asked: Conditions, wishes: Wishes, seed: int) -> Conditions:
        """Return the subjects: their context is that of subjects whose table is as wished."""
        generator = self.subjects
        if generator is None:  # a context without fields
            return asked

        def draw(asked: Conditions) -> Conditions:
            return draw_subjects(generator, asked, wishes, seed=child(seed, SUBJECTS))

        def suited(drawn: Conditions) -> np.ndarray:
            return self.links[TABLE].meets(drawn, wishes.table, seed=seed)

        return draw_suited(draw, suited, asked, seed=seed) if wishes.table else draw(asked)

    def _draw_records(
        self, subjects: Conditions, wishes: Wishes, seed: int, progress: Progress
    ) -> dict[str, Samples]:
        made: dict[str, Samples] = {}
        seen: dict[str, Seen] = {}
        later = _read_later(self.links)
        with progress.step("sampling", len(self.order)) as bar:
            for modality, link in self.links.items():
                earlier = [seen[e] for e in link.reads]
                made[modality] = link.draw(
                    subjects, earlier, wishes, seed=child(seed, modality), progress=progress
                )
                if modality in later:
                    seen[modality] = link.seen(made[modality])
                bar.advance(note=modality)
        return made

    def save(self, folder: Path) -> None:
        """Write the whole chain as one artifact (see `casemix.core.linked_folder`).

        Raises:
            FitError: the model is not fitted.
        """
        from casemix.core.linked_folder import save

        if not self.links:
            raise FitError("The linked model is not fitted, so there is nothing to save.")
        save(self, folder)

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> LinkedModel:
        """Read a saved chain.

        Raises:
            ArtifactError: damaged, altered, or not trusted where trust is needed.
        """
        from casemix.core.linked_folder import load

        return load(folder, trust=trust)


def _standard(modality: str) -> Evaluator:
    return registry.load("evaluators", f"{modality}/standard")()


def _read_later(links: Mapping[str, Link]) -> list[str]:
    """Return the modalities that a later one reads, in the chain's order."""
    return [m for m in links if any(m in other.reads for other in links.values())]
